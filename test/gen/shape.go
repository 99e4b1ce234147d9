package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// What a record has beside its ten fields, in JSON and Avro alone.
type shape struct {
	// Fields in all: f010, f011, … are long, double, string of few values, string of many, boolean by turns.
	fields int
	// Mean bytes of a text in the field body; 0: no such field.
	text int
	// A list of structs, items [{sku, price, tags [..]}].
	items bool
}

func (s *shape) plain() bool { return s.fields <= 10 && s.text == 0 && !s.items }

// No value of a record is longer.
func (s *shape) bound() int { return 1024 + 64*s.fields + 2*s.text }

var words = []string{"alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima", "mike", "november", "oscar", "papa"}

func (s *shape) value(r *rec, j int) uint64 { return mix(r.sess[0] ^ uint64(j)*0x9e3779b97f4a7c15) }

// Between half and one and a half of the mean.
func (s *shape) body(dst []byte, r *rec) []byte {
	v := mix(r.sess[1])
	end := len(dst) + s.text/2 + int(v%uint64(s.text))
	for len(dst) < end {
		v = mix(v)
		for k := 0; k < 12 && len(dst) < end; k++ {
			dst = append(append(dst, words[(v>>(4*k))&15]...), ' ')
		}
	}
	return dst[:end]
}

// Items of a record: 0 to 4; tags of each: 0 to 2.
func itemsOf(r *rec) (int, uint64) { v := mix(r.sess[0] + 1); return int(v % 5), v }

func (s *shape) json(dst []byte, r *rec) []byte {
	dst = dst[:len(dst)-1]
	for j := 10; j < s.fields; j++ {
		v := s.value(r, j)
		dst = append(dst, fmt.Sprintf(`,"f%03d":`, j)...)
		switch j % 5 {
		case 0:
			dst = strconv.AppendUint(dst, v%1000000, 10)
		case 1:
			dst = appendPad(append(strconv.AppendUint(dst, v%1000, 10), '.'), v>>32%100, 2)
		case 2:
			dst = append(append(append(dst, '"'), words[v&15]...), '"')
		case 3:
			dst = append(appendPad(append(dst, `"value-`...), v%50000, 6), '"')
		default:
			dst = strconv.AppendBool(dst, v&1 == 0)
		}
	}
	if s.text > 0 {
		dst = append(s.body(append(dst, `,"body":"`...), r), '"')
	}
	if s.items {
		dst = append(dst, `,"items":[`...)
		n, v := itemsOf(r)
		for k := 0; k < n; k++ {
			if k > 0 {
				dst = append(dst, ',')
			}
			v = mix(v)
			dst = appendPad(append(dst, `{"sku":"sku-`...), v%20000, 5)
			dst = appendPad(append(strconv.AppendUint(append(dst, `","price":`...), v>>20%500, 10), '.'), v>>40%100, 2)
			dst = append(dst, `,"tags":[`...)
			for t := uint64(0); t < v>>50%3; t++ {
				if t > 0 {
					dst = append(dst, ',')
				}
				dst = append(append(append(dst, '"'), words[v>>(4*t)&15]...), '"')
			}
			dst = append(dst, "]}"...)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (s *shape) avro(dst []byte, r *rec) []byte {
	for j := 10; j < s.fields; j++ {
		v := s.value(r, j)
		switch j % 5 {
		case 0:
			dst = zz(dst, int64(v%1000000))
		case 1:
			dst = double(dst, v%1000*100+v>>32%100)
		case 2:
			dst = astr(dst, words[v&15])
		case 3:
			dst = appendPad(append(zz(dst, 12), "value-"...), v%50000, 6)
		default:
			dst = append(dst, byte(v&1^1))
		}
	}
	if s.text > 0 {
		var t [8192]byte
		body := s.body(t[:0], r)
		dst = append(zz(dst, int64(len(body))), body...)
	}
	if s.items {
		n, v := itemsOf(r)
		if n > 0 {
			dst = zz(dst, int64(n))
		}
		for k := 0; k < n; k++ {
			v = mix(v)
			dst = appendPad(append(zz(dst, 9), "sku-"...), v%20000, 5)
			dst = double(dst, v>>20%500*100+v>>40%100)
			tags := v >> 50 % 3
			if tags > 0 {
				dst = zz(dst, int64(tags))
			}
			for t := uint64(0); t < tags; t++ {
				dst = astr(dst, words[v>>(4*t)&15])
			}
			dst = append(dst, 0)
		}
		dst = append(dst, 0)
	}
	return dst
}

func double(dst []byte, cents uint64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(float64(cents)/100))
}

func (s *shape) avroSchema() string {
	var more strings.Builder
	for j := 10; j < s.fields; j++ {
		kind := []string{"long", "double", "string", "string", "boolean"}[j%5]
		fmt.Fprintf(&more, `,{"name":"f%03d","type":%q}`, j, kind)
	}
	if s.text > 0 {
		more.WriteString(`,{"name":"body","type":"string"}`)
	}
	if s.items {
		more.WriteString(`,{"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[{"name":"sku","type":"string"},{"name":"price","type":"double"},{"name":"tags","type":{"type":"array","items":"string"}}]}}}`)
	}
	return strings.TrimSuffix(avroSchema, "]}") + more.String() + "]}"
}

// What the fields that are not in every record add up to.
type shapeSums struct {
	// Sums of the longs among f010, f011, …
	Fields map[string]uint64 `json:"sum_fields,omitempty"`
	// Bounds of body.
	MinBody, MaxBody string `json:"-"`
	Items            int64  `json:"items"`
	Cents            int64  `json:"sum_price_cents"`
	Tags             int64  `json:"tags"`
}

func (s *shape) add(sums *shapeSums, r *rec) {
	for j := 10; j < s.fields; j += 5 {
		if sums.Fields == nil {
			sums.Fields = map[string]uint64{}
		}
		sums.Fields[fmt.Sprintf("f%03d", j)] += s.value(r, j) % 1000000
	}
	if s.text > 0 {
		body := string(s.body(nil, r))
		if sums.MaxBody == "" || body < sums.MinBody {
			sums.MinBody = body
		}
		sums.MaxBody = max(sums.MaxBody, body)
	}
	if s.items {
		n, v := itemsOf(r)
		for k := 0; k < n; k++ {
			v = mix(v)
			sums.Items++
			sums.Cents += int64(v>>20%500*100 + v>>40%100)
			sums.Tags += int64(v >> 50 % 3)
		}
	}
}

func (sums *shapeSums) json() string {
	type bounds struct {
		shapeSums
		MinBody string `json:"min_body,omitempty"`
		MaxBody string `json:"max_body,omitempty"`
	}
	out, _ := json.Marshal(bounds{*sums, sums.MinBody, sums.MaxBody})
	return string(out)
}

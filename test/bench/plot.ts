import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBaseline } from './baselines.ts';
import { short } from './figures.ts';
import type { Spread } from './figures.ts';

// `npm run bench -- --scenario plot`: draws what baselines/ holds as speed.svg, which the README shows.

interface Bar {
  readonly label: string;
  readonly ours: boolean;
  readonly value: Spread;
}

interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

/** A bar of a figure that is kept; none where it is not. */
function bar(label: string, id: string, figure: string, ours = true): Bar[] {
  const value = readBaseline(id)?.figures[figure];
  return value ? [{ label, ours, value }] : [];
}

function catchUp(title: string, suffix: string, figure: string): Panel {
  const bars = (['avro', 'json'] as const).flatMap((format) => {
    const [id, name] = [`ingest-${format}-none${suffix}`, format === 'avro' ? 'Avro' : 'JSON'];
    return [
      ...bar(`tabletopic, ${name}`, id, figure),
      ...bar(`Kafka Connect, ${name}`, `${id}-connect`, figure, false),
    ];
  });
  return { title, bars };
}

const panels: readonly Panel[] = [
  catchUp('Records per CPU second, whole run of 2,000,000, start included', '', 'rowsPerCpuSecond'),
  catchUp('Records per CPU second, steady state', '-steady', 'steadyRowsPerCpuSecond'),
  {
    title: 'CPU of encoding Parquet, Arrow C++ = 1',
    bars: [
      ...bar('10 fields', 'native-events', 'cpuRatio'),
      ...bar('100 fields', 'native-hundred', 'cpuRatio'),
      ...bar('wide strings', 'native-strings', 'cpuRatio'),
      ...bar('lists of structs', 'native-lists', 'cpuRatio'),
    ],
  },
  {
    title: 'Seconds from produce to readable, 10,000 records/s, commits each second',
    bars: [...bar('median', 'freshness-alone', 'p50'), ...bar('99th percentile', 'freshness-alone', 'p99')],
  },
].filter(({ bars }) => bars.length > 0);

const [WIDTH, LABEL, ROW, HEAD] = [760, 170, 22, 34];
const BAR = WIDTH - LABEL - 150;

function drawn({ title, bars }: Panel, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value.max));
  const x = (value: number): string => (LABEL + (value / most) * BAR).toFixed(1);
  const rows = bars.map(({ label, ours, value }, i) => {
    const y = top + HEAD + i * ROW;
    const middle = y + 8;
    return `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${label}</text>
<rect x="${LABEL}" y="${y}" width="${((value.median / most) * BAR).toFixed(1)}" height="16" fill="${ours ? '#2563a8' : '#b0b7bf'}"/>
<path d="M${x(value.min)} ${middle}H${x(value.max)}" stroke="#111" stroke-width="1"/>
<text x="${LABEL + BAR + 8}" y="${y + 12}">${value.median < 100 ? Number(value.median.toPrecision(3)) : short(value.median)}</text>`;
  });
  return [`<text x="0" y="${top + 20}" font-weight="bold">${title}</text>`, ...rows].join('\n');
}

const tops = panels.map((_, i) => panels.slice(0, i).reduce((sum, { bars }) => sum + HEAD + bars.length * ROW + 12, 0));
const last = panels.at(-1)!;
const height = tops.at(-1)! + HEAD + last.bars.length * ROW + 12;
writeFileSync(
  join(import.meta.dirname, 'speed.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
${panels.map((panel, i) => drawn(panel, tops[i]!)).join('\n')}
</svg>
`,
);

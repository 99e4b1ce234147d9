import type { ErrorCode } from '../errors.ts';
import type { StructType } from '../schema/types.ts';
import type { DecodeFailure } from './decoder.ts';

/** Thrown inside a decoder to leave a record that cannot be decoded; caught at the record. Carries no stack: it is data. */
export class DecodeStop implements DecodeFailure {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly unknownFields?: StructType;

  constructor(code: ErrorCode, reason: string, unknownFields?: StructType) {
    this.code = code;
    this.reason = reason;
    if (unknownFields) this.unknownFields = unknownFields;
  }
}

export const NO_FAILURE: DecodeFailure = { code: 'INTERNAL', reason: 'nothing failed' };

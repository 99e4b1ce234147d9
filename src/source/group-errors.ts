import { TabletopicError } from '../errors.ts';
import { KafkaCode, kafkaError, protocolCode } from './kafka-errors.ts';

/**
 * What an answer of the coordinator means for a member:
 * - `rejoin`: still a member; join again at once;
 * - `lost`: no longer a member of that generation or epoch; `forget` the member id too;
 * - `retry`: later, nothing changed;
 * - `fatal`: the member must not go on.
 */
export type GroupVerdict =
  | { readonly kind: 'rejoin' }
  | { readonly kind: 'lost'; readonly forget: boolean; readonly reason: string }
  | { readonly kind: 'retry'; readonly error: TabletopicError }
  | { readonly kind: 'fatal'; readonly error: TabletopicError };

export function judgeGroupError(error: unknown, groupId: string, instanceId: string | null): GroupVerdict {
  const group = `group ${groupId}`;
  const fatal = (code: 'KAFKA_FENCED' | 'CONFIG_INVALID', message: string, hint?: string): GroupVerdict => ({
    kind: 'fatal',
    error: new TabletopicError(code, message, {
      cause: error,
      where: { group: groupId },
      ...(hint === undefined ? {} : { hint }),
    }),
  });
  switch (protocolCode(error)) {
    case KafkaCode.REBALANCE_IN_PROGRESS:
    case KafkaCode.MEMBER_ID_REQUIRED:
      return { kind: 'rejoin' };
    case KafkaCode.UNKNOWN_MEMBER_ID:
      return { kind: 'lost', forget: true, reason: 'the session ended: the coordinator does not know this member' };
    case KafkaCode.ILLEGAL_GENERATION:
      return { kind: 'lost', forget: false, reason: 'a rebalance took place without this member' };
    case KafkaCode.FENCED_MEMBER_EPOCH:
      return { kind: 'lost', forget: false, reason: 'the coordinator fenced this member’s epoch' };
    case KafkaCode.FENCED_INSTANCE_ID:
      return fatal('KAFKA_FENCED', `${group}: another process took over the instance id ${instanceId}`);
    case KafkaCode.INVALID_SESSION_TIMEOUT:
      return fatal(
        'CONFIG_INVALID',
        `${group}: the broker does not accept this session timeout`,
        'Set `kafka.sessionTimeout` within the broker’s group.min.session.timeout.ms and group.max.session.timeout.ms.',
      );
    case KafkaCode.UNSUPPORTED_VERSION:
      return fatal(
        'CONFIG_INVALID',
        `${group}: the broker does not speak this group protocol`,
        'Set `kafka.groupProtocol: classic`, or use brokers of Kafka 4.0 or later.',
      );
    case KafkaCode.INCONSISTENT_GROUP_PROTOCOL:
      return {
        kind: 'retry',
        error: new TabletopicError('KAFKA_UNAVAILABLE', `${group}: its members use another protocol or assignor`, {
          hint: 'All members of a group must use the same protocol: stop the others, or choose another `kafka.groupId`.',
          cause: error,
        }),
      };
    case KafkaCode.UNRELEASED_INSTANCE_ID:
      return {
        kind: 'retry',
        error: new TabletopicError(
          'KAFKA_UNAVAILABLE',
          `${group}: the instance id ${instanceId} still belongs to a member whose session has not ended`,
          { cause: error },
        ),
      };
    default: {
      const failure = kafkaError(error, group);
      return failure.policy === 'retry' ? { kind: 'retry', error: failure } : { kind: 'fatal', error: failure };
    }
  }
}

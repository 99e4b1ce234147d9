/**
 * Properties of the tables that we create, where the request does not say otherwise (DESIGN §2).
 *
 * Others' maintenance must get through beside a service that commits all the time: by Iceberg's defaults it gives up after
 * 4 retries, and the wait between two grows to a minute. Each attempt has the same chance against steady commits, so what
 * counts is how many there are.
 */
export const newTableProperties = {
  'commit.retry.num-retries': '20',
  'commit.retry.max-wait-ms': '2000',
  'write.metadata.delete-after-commit.enabled': 'true',
} as const;

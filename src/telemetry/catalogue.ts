/**
 * Every metric there is. A name that is not in this table is a mistake: it throws in tests and is counted
 * as `wardwatch_unknown_metrics_total` elsewhere, so that no dashboard waits for a series that never comes.
 *
 * Names are written here as components use them; `wardwatch_` goes in front, counters end in `_total`,
 * histograms in `_seconds`. Labels are of low cardinality: never an address, a device or a file.
 */
export interface Metric {
  kind: 'counter' | 'gauge' | 'histogram';
  name: string;
  help: string;
  labels: readonly string[];
}

const metric =
  (kind: Metric['kind']) =>
  (name: string, help: string, ...labels: string[]): Metric => ({ kind, name, help, labels });
const counter = metric('counter');
const gauge = metric('gauge');
const histogram = metric('histogram');

export const catalogue: readonly Metric[] = [
  // Wardwatch itself
  gauge('build_info', 'Always 1; the version is in the labels.', 'version', 'node'),
  counter('dropped', 'What was lost inside Wardwatch, by kind and reason.', 'what', 'reason'),
  counter('log_messages', 'Log messages by level, including those held back by the rate limit.', 'level'),
  counter('unknown_metrics', 'Uses of a metric that the catalogue does not know.'),

  // Sensor and bus
  counter('frames_captured', 'Frames that a sensor has taken from its source.'),
  counter('bus_published_frames', 'Frames put on the bus.'),
  counter('bus_published_records', 'Records written to Kafka.'),
  counter('bus_delivered_frames', 'Frames taken from Kafka.'),
  counter('bus_poison_records', 'Records that could not be read as frames.', 'reason'),
  counter('bus_repeated_records', 'Records that a sensor sent again after it was killed; they are read once.'),
  counter('bus_missing_records', 'Records that their sensor has numbered and that never came.'),
  gauge('queue_bytes', 'Size of the queue on disk of a sensor.'),
  gauge('queue_frames', 'Frames in the queue on disk of a sensor.'),
  counter('queue_written_frames', 'Frames that went through the queue on disk because the broker was away.'),
  counter('bus_stale_commits', 'Positions not committed because the partition had gone to another consumer.'),
  counter('bus_consumer_crashes', 'Times that the Kafka consumer had to be started again.'),

  // State
  counter('state_saved', 'States stored.'),
  counter('state_refused', 'Stored states that could not be used: damaged, of another version, or without their key.'),
  counter('state_overtaken', 'States not stored because another detector had taken the partition over.'),
  counter(
    'state_resynchronised_flows',
    'Conversations that went on as after a loss because they could not be rebuilt.',
  ),
  gauge('state_bytes', 'Size of the last stored state.'),
  histogram('state_save', 'Time to store a state.'),

  // Hot path
  counter('frames_read', 'Frames that reached the hot path.'),
  counter('frames_decoded', 'Frames of which at least the link layer could be decoded.'),
  counter('frames_undecodable', 'Frames of which nothing could be decoded, by reason.', 'reason'),
  counter('frames_lost_at_capture', 'Frames that the capturing side says it lost before they reached Wardwatch.'),
  counter('decode_events', 'Malformed or odd packets below the application, by event.', 'event'),
  counter('app_events', 'Malformed or odd application messages, by event.', 'event'),
  counter('flows_ended', 'Flows that have ended.'),
  counter('flow_evictions', 'Flows ended early because the flow table was full.'),
  counter('device_evictions', 'Devices forgotten because the device table was full.'),
  counter('observations', 'Application messages understood.'),
  counter('stream_gap_bytes', 'Bytes of TCP streams that the mirror never showed.'),
  counter('stream_overlong_bytes', 'Bytes of messages given up because they were longer than is kept.'),
  counter('alerts_raised', 'Alerts opened, by severity_id.', 'severity'),
  gauge('flows_open', 'Flows in the flow table.'),
  gauge('devices', 'Devices in the device table.'),
  gauge('stream_held_bytes', 'Bytes of unfinished messages in memory.'),
  gauge('learning_progress', 'Share of the devices that have finished learning.'),
  gauge('detectors_failed', 'Detectors that are off because they failed.'),
  gauge('event_time_seconds', 'Time stamp of the newest frame, epoch seconds.'),

  // Baselines

  // Store
  counter('store_rows_written', 'Rows that the store has acknowledged.', 'table'),
  counter('store_rows_refused', 'Rows that the store has refused for good.', 'table', 'reason'),
  counter('store_retries', 'Inserts that were tried again.', 'table', 'reason'),
  counter('store_query_errors', 'Queries that failed.', 'query'),
  gauge('store_buffered_bytes', 'Bytes of rows that wait for the store, by table.', 'table'),
  histogram('store_insert', 'Time until an insert was acknowledged.', 'table'),
  histogram('store_query', 'Time until a query was answered.', 'query'),

  // Delivery
  counter('delivery_attempts', 'Attempts to deliver an alert, by how they ended.', 'endpoint', 'outcome'),
  histogram('delivery_wait', 'Time from the alert being stored to its first attempt.', 'endpoint'),
  histogram('delivery_attempt', 'Time of one attempt.', 'endpoint'),
  gauge('delivery_queued', 'Deliveries that wait or are tried.'),
  gauge('delivery_dead_letters', 'Deliveries that were given up and are kept.'),
  gauge('delivery_deferred', 'Alerts that wait for room in the outbox.'),
  gauge('delivery_endpoint_away', 'Is 1 while an endpoint does not take alerts.', 'endpoint'),

  // API
  counter('http_requests', 'Requests answered.', 'method', 'route', 'status'),
  histogram('http_request', 'Time until the answer was complete.', 'route'),
  gauge('event_clients', 'Open event streams.'),
];

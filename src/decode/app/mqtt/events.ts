import { number, observation, text, token } from '../../observation.ts';

export const mqttConnect = observation('mqtt.connect', 'A client asks a broker for a session.', {
  client_id: text('Client identifier'),
  version: number('Protocol level: 3 = 3.1, 4 = 3.1.1, 5 = 5.0'),
  keep_alive_s: number('Keep alive, seconds'),
  clean: number('1 where no old session is wanted'),
  user: token('User name'),
  has_password: number('1 where a password is sent, in clear'),
  has_will: number('1 where a last will is left'),
});

export const mqttConnack = observation('mqtt.connack', 'The broker answers.', {
  code: number('0 accepted, other values refused'),
  session: number('1 where an old session goes on'),
});

export const mqttPublish = observation('mqtt.publish', 'A message for a topic; its content stays inside.', {
  topic_root: text('First level of the topic'),
  topic: token('Whole topic'),
  levels: number('Levels of the topic'),
  qos: number('Quality of service'),
  retain: number('1 where the broker keeps it'),
  bytes: number('Length of the packet'),
});

export const mqttSubscribe = observation('mqtt.subscribe', 'A client asks for topics.', {
  topic_root: text('First level of the first filter'),
  topic: token('First filter'),
  filters: number('Filters'),
  wildcard: number('1 where a filter holds # or +'),
  everything: number('1 where a filter is #: all topics'),
  unsubscribe: number('1 for UNSUBSCRIBE'),
});

export const mqttDisconnect = observation('mqtt.disconnect', 'One side ends the session.', {
  reason: number('Reason of version 5, 0 otherwise'),
});

export const mqttEvents = ['mqtt_bad_packet', 'mqtt_bad_length', 'mqtt_long_packet', 'mqtt_lost'] as const;

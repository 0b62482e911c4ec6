#!/bin/sh
# Rights of the roles on a Kafka cluster with an authorizer, least ones. Topics: `wardwatch topics create`, as an
# administrator. Users: wardwatch-sensor and wardwatch-detector; the server does not talk to Kafka.
#
#   BOOTSTRAP=broker:9093 ADMIN_CONFIG=admin.properties deploy/kafka/acls.sh
set -eu
TOPIC=${TOPIC:-wardwatch.frames}
GROUP=${GROUP:-wardwatch}
acls() {
  kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$ADMIN_CONFIG" --add "$@"
}
# A sensor writes, and must not read what others have captured.
acls --allow-principal User:wardwatch-sensor --topic "$TOPIC" --operation Write --operation Describe
acls --allow-principal User:wardwatch-sensor --cluster --operation IdempotentWrite
# A detector reads as a member of its group, and puts aside what it cannot read.
acls --allow-principal User:wardwatch-detector --topic "$TOPIC" --operation Read --operation Describe
acls --allow-principal User:wardwatch-detector --topic "$TOPIC.dead-letter" --operation Write --operation Describe
acls --allow-principal User:wardwatch-detector --group "$GROUP" --operation Read --operation Describe

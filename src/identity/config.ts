import { Type } from 'typebox';
import type { Static } from 'typebox';

/** What is known of kinds of devices, beside and instead of what comes with Wardwatch. */
export const knowledgeConfig = Type.Object(
  {
    bundle_dir: Type.String({
      default: '',
      description:
        'Folder of knowledge bundles (`wardwatch bundle`); the one that is in use there takes the place of what comes with Wardwatch. Empty: none.',
    }),
    profiles_dir: Type.String({
      default: '',
      description:
        'Folder with profiles of the site, `<class>/<name>.yaml`; one with the id of a shipped profile takes its place. Empty: none.',
    }),
    oui_file: Type.String({
      default: '',
      description: 'Makers by MAC address: oui.csv or oui.txt of the IEEE, newer than what comes with Wardwatch.',
    }),
    types_file: Type.String({
      default: '',
      description: 'Types of devices that `wardwatch devices types train` has learned. Empty: those of the bundle.',
    }),
  },
  { default: {}, additionalProperties: false },
);
export type KnowledgeConfig = Static<typeof knowledgeConfig>;

/** Which endpoints are devices, and how many are kept. */
export const identityConfig = Type.Object(
  {
    tap: Type.Union([Type.Literal('auto'), Type.Literal('access'), Type.Literal('routed')], {
      default: 'auto',
      description:
        'access: a device is a MAC address in a VLAN. routed: the mirror sits behind a router, a device is an IP address of `networks`. auto: access wherever frames have MAC addresses.',
    }),
    networks: Type.Array(Type.String(), {
      default: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10'],
      description: 'Address ranges of the site, used where devices are told apart by IP address.',
    }),
    max_devices: Type.Integer({
      default: 131_072,
      minimum: 64,
      maximum: 1_048_576,
      description: 'Devices kept. When full, the one silent for longest is forgotten and counted.',
    }),
    max_channels: Type.Integer({
      default: 64,
      minimum: 8,
      maximum: 1024,
      description:
        'Channels (peer, service, direction) kept of one device. When full, one not seen for a week makes room; else what is new is summed up as one.',
    }),
    gateway_addresses: Type.Integer({
      default: 3,
      minimum: 2,
      maximum: 64,
      description:
        'A MAC address that sends from this many IP addresses it never claimed by ARP, ND or DHCP is taken for a gateway.',
    }),
    knowledge: knowledgeConfig,
  },
  { default: {}, additionalProperties: false },
);
export type IdentityConfig = Static<typeof identityConfig>;

import { number, observation, text, token } from '../../observation.ts';

export const ssdpMessage = observation('ssdp.message', 'A UPnP discovery message.', {
  method: text('NOTIFY, M-SEARCH or RESPONSE'),
  target: text('NT or ST: what is offered or looked for'),
  sub_type: text('NTS: ssdp:alive, ssdp:byebye or ssdp:update'),
  server: text('SERVER: system and product of who offers'),
  location: text('LOCATION: where the description lies'),
  usn: token('USN: unique name of who offers'),
  max_age_s: number('Seconds that the offer holds'),
});

export const ssdpEvents = ['ssdp_bad_header'] as const;

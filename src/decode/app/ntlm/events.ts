import { number, observation, text, token } from '../../observation.ts';

export const challenge = observation('ntlm.challenge', 'What a server says of itself in an NTLM login.', {
  target: text('Target name: its domain or itself.'),
  computer: text('NetBIOS name of the computer.'),
  dns_computer: text('DNS name of the computer.'),
  dns_domain: text('DNS name of its domain.'),
  os_version: text('Version of Windows: major.minor.build.'),
});

export const authenticate = observation('ntlm.auth', 'What a client says of itself in an NTLM login.', {
  user: token('Name of the account.'),
  domain: text('Domain of the account.'),
  workstation: text('Name of the computer.'),
  os_version: text('Version of Windows: major.minor.build.'),
  anonymous: number('1 where no account is named.'),
});

export const observations = [challenge, authenticate];

export const BAD_MESSAGE = 'ntlm.bad_message';

export const events = [BAD_MESSAGE];

import { LONGEST_PASSWORD } from './secrets.ts';

/**
 * Words of which common long passwords are put together. With the least length that is asked for, no entry of the
 * known lists of common passwords stands alone; what does is such words in a row, with digits between them.
 */
const COMMON = (
  'password passwort passw0rd p@ssword p@ssw0rd pass secret letmein welcome willkommen iloveyou admin administrator ' +
  'root user guest default changeme change login monitor system service support test demo hospital clinic klinik ward ' +
  'wardwatch watch medical nurse doctor patient health icu pacs dicom biomed philips siemens draeger infusion pump ' +
  'qwertyuiop qwertzuiop qwerty qwertz azerty asdfghjkl asdfgh asdf zxcvbnm yxcvbnm zxcv abc abcd abcdef abcdefgh ' +
  'dragon monkey football baseball basketball soccer hockey master superman batman princess sunshine shadow flower ' +
  'charlie michael jordan jennifer jessica ashley daniel thomas robert andrew matthew joshua hunter killer freedom ' +
  'whatever trustno computer internet google facebook samsung starwars pokemon cheese chocolate summer winter spring ' +
  'autumn sommer herbst fruehling januar january february march april june july august september october november ' +
  'december monday tuesday wednesday thursday friday saturday sunday love hello hallo ninja lovely angel company ' +
  'network security cisco server database oracle the and my is your new old this that for'
).split(' ');

const SAME: Record<string, string> = {
  '0': 'o',
  '1': 'l',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/** Least number of characters that must be left when common words and runs have been taken out. */
const LEAST_OWN = 5;

function ownCharacters(text: string, words: readonly string[]): number {
  let left = text;
  for (const word of words) if (word.length > 0) left = left.replaceAll(word, ' ');
  return new Set(left.replaceAll(/[\s\d\p{P}\p{S}]/gu, '')).size;
}

/**
 * What is wrong with a new password, for a person; undefined where nothing is. After NIST SP 800-63B: length and
 * whether it is a usual one count, what kinds of characters it has does not.
 */
export function faultOf(password: string, name: string, least: number): string | undefined {
  const characters = Array.from(password.normalize('NFKC'));
  if (characters.length < least) return `The password needs at least ${least} characters; a few words in a row do.`;
  if (characters.length > LONGEST_PASSWORD) return `The password may have at most ${LONGEST_PASSWORD} characters.`;
  const lower = characters.join('').toLowerCase();
  const words = [name.toLowerCase(), ...COMMON].sort((a, b) => b.length - a.length);
  const plain = Array.from(lower, (character) => SAME[character] ?? character).join('');
  if (Math.min(ownCharacters(lower, words), ownCharacters(plain, words)) < LEAST_OWN)
    return 'The password is made of names, common words, digits or repetitions: such ones are tried first.';
  return undefined;
}

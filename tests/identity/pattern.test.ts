import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern, compileWords, wordsOf } from '../../src/identity/pattern.ts';

const fits = (pattern: string, value: string): boolean => compilePattern(pattern).match(value) !== undefined;

describe('patterns', () => {
  it.each([
    ['MSFT 5.0', 'msft 5.0', true],
    ['MSFT 5.0', 'MSFT 5.0 ', false],
    ['Philips*', 'Philips Patient Monitoring', true],
    ['*Philips', 'N.V. Philips', true],
    ['*LaserJet*', 'HP LaserJet M507', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['SEP????????????', 'SEPF4BD9E0001AA', true],
    ['SEP????????????', 'SEPF4BD9E0001A', false],
    ['ab*ba', 'aba', false],
    ['*.example.org', 'example.org', false],
  ])('%s on %s: %s', (pattern, value, expected) => expect(fits(pattern, value)).toBe(expected));

  it('takes named parts out', () => {
    expect(
      compilePattern('AXIS,Network Camera,{model},{firmware}').match('AXIS,Network Camera,P3245-V,10.12.114'),
    ).toEqual({
      model: 'P3245-V',
      firmware: '10.12.114',
    });
    expect(compilePattern('Zebra ZTC {model}-*').match('Zebra ZTC -300dpi')).toBeUndefined();
  });

  it.each(['', '*', '**', 'a{what}', 'a{model', '{model}*', 'x'.repeat(129), '*a*b*c*d*e*f*g*h*i'])(
    'refuses %j',
    (text) => expect(() => compilePattern(text)).toThrow(),
  );

  it('means the same as the regular expression of the pattern', () => {
    const piece = fc.constantFrom('a', 'b', '.', '*', '?', 'ab');
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 8 }),
        fc.stringMatching(/^[ab.]{0,14}$/),
        (pieces, value) => {
          const text = pieces.join('');
          fc.pre(!text.includes('**') && text !== '*');
          const expression = text.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.');
          expect(fits(text, value)).toBe(new RegExp(`^${expression}$`, 's').test(value));
        },
      ),
      { seed: 1, numRuns: 2000 },
    );
  });

  it('never throws on a value', () => {
    const pattern = compilePattern('a*-{model}-?*z');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 128 }), (value) => {
        pattern.match(value);
        wordsOf(value);
      }),
      { seed: 1 },
    );
  });
});

describe('words', () => {
  it('are cut between letters and digits', () => expect(wordsOf('CT_SOMATOM1')).toEqual(['ct', 'somatom', '1']));

  it.each([
    ['ct', 'ct-2', true],
    ['ct', 'ctg-2', false],
    ['evita v 800', 'evita-v800-1', true],
    ['V800', 'evita v800', true],
    ['pump*', 'pumpsrv01', true],
    ['pump', 'pumpsrv01', false],
    ['medical gas', 'gas medical', false],
  ])('%s in %s: %s', (phrase, text, expected) => expect(compileWords(phrase).isIn(wordsOf(text))).toBe(expected));

  it.each(['a', 'ab*', '', '--'])('refuses %j', (text) => expect(() => compileWords(text)).toThrow());
});

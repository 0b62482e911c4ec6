import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { hotPath } from '../../scripts/eslint-hot-path.ts';

function problems(code: string): string[] {
  const config: Linter.Config = {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser },
    plugins: { wardwatch: { rules: { 'hot-path': hotPath } } },
    rules: { 'wardwatch/hot-path': 'error' },
  };
  return new Linter().verify(code, [config], 'src/track/x.ts').map((message) => message.message);
}

describe('the hot-path rule', () => {
  it.each([
    ['a closure', 'export function step(n) { return () => n; }'],
    ['a spread', 'export function step(n) { return f(...n); }'],
    ['for…of', 'export function step(n) { for (const x of n) f(x); }'],
    ['an object', 'export function step(n) { return { n }; }'],
    ['an array', 'export function step(n) { return [n]; }'],
    ['new', 'export function step(n) { return new Map(); }'],
    ['an exception', 'export function step(n) { throw n; }'],
    ['a template string', 'export function step(n) { return `${n}`; }'],
    ['a BigInt', 'export function step() { return 1n; }'],
    ['a Buffer read', 'export function step(b) { return b.readUInt16BE(0); }'],
    ['a subarray', 'export function step(b) { return b.subarray(1); }'],
    ['a method of a class', 'export class A { step(n) { return [n]; } }'],
    ['a function inside a create function', 'export function createA() { return { step(n) { return [n]; } }; }'],
  ])('finds %s', (_what, code) => {
    expect(problems(code)).toHaveLength(1);
  });

  it.each([
    ['what is made once', 'export function createA(n) { const at = [...n].map((x) => ({ x })); return { at }; }'],
    ['tables of the module', 'export const table = names.map((name) => ({ name }));'],
    ['plain loops', 'export function step(v, n) { for (let i = 0; i < n; i++) sum += v.getUint8(i); }'],
    ['a function marked as cold', '/** @cold once per flow */\nexport function ended(n) { return { n }; }'],
    ['a method marked as cold', 'export class A {\n  /** @cold on eviction */\n  evict(n) { return [n]; }\n}'],
  ])('lets %s pass', (_what, code) => {
    expect(problems(code)).toEqual([]);
  });

  it('wants a reason beside @cold', () => {
    expect(problems('/** @cold */\nexport function ended(n) { return { n }; }')).toHaveLength(1);
  });
});

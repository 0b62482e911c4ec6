import { WardwatchError } from '../kernel/errors.ts';
import { TABLES } from './schema.ts';

/** Tables that analysts may read. What is not listed here cannot be named. */
export const ANALYST_TABLES: readonly string[] = Object.keys(TABLES);

/** Longest statement. */
const MAX_SQL = 20_000;

/** What a statement of an analyst is refused for. Names what is wrong and what would be right. */
function refuse(what: string, remedy: string): never {
  throw new WardwatchError('WW_USAGE', what, remedy);
}

const TABLE_REMEDY = `Read from ${ANALYST_TABLES.join(', ')}, from a subquery or from a name given by WITH.`;

/** Words that a statement which only reads does not need; each would reach beyond it. */
const FORBIDDEN_WORDS: Readonly<Record<string, string>> = {
  INTO: 'answers go to you, not into a file or table',
  OUTFILE: 'answers go to you, not into a file',
  SETTINGS: 'settings and limits are fixed',
  FORMAT: 'the format is chosen beside the statement, not in it',
  DICTIONARY: 'there are no dictionaries',
};

/**
 * The statement made anew from its own words: comments are gone, texts and names are quoted in one way. What the
 * engine is given is what was looked at here.
 * @throws {WardwatchError} `WW_USAGE` with what is wrong
 */
export function normaliseSql(sql: string): string {
  if (sql.length > MAX_SQL) refuse(`The statement has more than ${MAX_SQL} characters.`, 'Ask for less at once.');
  const tokens: string[] = [];
  const text = sql.toWellFormed();
  const open: string[] = [];
  let at = 0;
  while (at < text.length) {
    const c = text[at]!;
    if (/\s/u.test(c)) at++;
    else if (text.startsWith('--', at) || (c === '#' && /[\s!]/.test(text[at + 1] ?? '\n'))) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end + 1;
    } else if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2);
      if (end < 0) refuse('A comment has no end.', 'Close it with */.');
      at = end + 2;
    } else if (c === "'" || c === '"' || c === '`') {
      const [value, end] = quoted(text, at);
      tokens.push(c === "'" ? `'${escaped(value, "'")}'` : `\`${escaped(value, '`')}\``);
      at = end;
    } else if (/[A-Za-z_]/.test(c)) {
      const word = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(at, at + 256))![0];
      const why = FORBIDDEN_WORDS[word.toUpperCase()];
      if (why !== undefined && !(word.toUpperCase() === 'FORMAT' && /^\s*\(/.test(text.slice(at + word.length))))
        refuse(
          `\`${word}\` is not possible here: ${why}.`,
          'Leave it out; quote it with backticks where it is a column.',
        );
      tokens.push(word);
      at += word.length;
    } else if (/[0-9]/.test(c)) {
      const number = /^(0x[0-9a-fA-F]+|[0-9][0-9_]*(\.[0-9]*)?([eE][+-]?[0-9]+)?)/.exec(text.slice(at, at + 256))![0];
      tokens.push(number);
      at += number.length;
    } else if (c === ';') {
      if (/[^\s;]/u.test(text.slice(at)))
        refuse('More than one statement.', 'Send one SELECT at a time, without a semicolon in it.');
      at = text.length;
    } else {
      const operator = /^(<=>|->|::|\|\||<=|>=|<>|!=|==|[-+*/%<>=(),.[\]?:])/.exec(text.slice(at, at + 3))?.[0];
      if (operator === undefined)
        refuse(
          'There is a character that no SELECT needs.',
          'Leave out braces, dollar signs, backslashes and the like.',
        );
      if (operator === '(' || operator === '[') open.push(operator);
      else if ((operator === ')' || operator === ']') && open.pop() !== (operator === ')' ? '(' : '['))
        refuse(`A \`${operator}\` closes nothing.`, 'Open each bracket before it is closed.');
      tokens.push(operator);
      at += operator.length;
    }
  }
  if (open.length > 0) refuse('A bracket is not closed.', 'Close each bracket that is opened.');
  const first = tokens.find((token) => token !== '(')?.toUpperCase();
  if (first !== 'SELECT' && first !== 'WITH')
    refuse('This is no SELECT.', 'Only questions can be asked: begin with SELECT or WITH.');
  return tokens.join(' ');
}

/** A quoted text or name from its opening quote on, and where it ends. */
function quoted(text: string, from: number): [value: string, end: number] {
  const quote = text[from]!;
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', b: '\b', f: '\f' };
  let value = '';
  for (let at = from + 1; at < text.length; at++) {
    const c = text[at]!;
    if (c === '\\') {
      const next = text[++at] ?? '';
      if (next === 'x') {
        const hex = text.slice(at + 1, at + 3);
        if (!/^[0-9a-fA-F]{2}$/.test(hex)) refuse('A \\x in a text has no two digits.', 'Write it as \\x41.');
        value += String.fromCharCode(Number.parseInt(hex, 16));
        at += 2;
      } else if ('%_'.includes(next)) value += `\\${next}`;
      else value += escapes[next] ?? next;
    } else if (c === quote) {
      if (text[at + 1] !== quote) return [value, at + 1];
      value += quote;
      at++;
    } else value += c;
  }
  return refuse('A quoted text has no end.', `Close it with ${quote}.`);
}

function escaped(value: string, quote: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`).replaceAll('\n', '\\n').replaceAll('\0', '\\0');
}

/** Kinds of nodes of a parsed SELECT (as EXPLAIN AST names them) that only compute. */
const NODES: ReadonlySet<string> = new Set([
  'ArrayJoin',
  'Asterisk',
  'ColumnsExceptTransformer',
  'ColumnsRegexpMatcher',
  'ColumnsReplaceTransformer',
  'ColumnsReplaceTransformer::Replacement',
  'ColumnsTransformerList',
  'ExpressionList',
  'Function',
  'Identifier',
  'Literal',
  'NameTypePair',
  'OrderByElement',
  'QualifiedAsterisk',
  'SelectIntersectExceptQuery',
  'SelectQuery',
  'SelectWithUnionQuery',
  'Subquery',
  'TableExpression',
  'TableIdentifier',
  'TableJoin',
  'TablesInSelectQuery',
  'TablesInSelectQueryElement',
  'WindowDefinition',
  'WindowListElement',
  'WithElement',
]);

/** Combinators of aggregate functions. */
const COMBINATORS = /(If|Array|Map|Distinct|OrNull|OrDefault|ArgMin|ArgMax)$/;

/** Functions that compute from their arguments and nothing else. What reads files, hosts, settings or time waits is not here. */
const FUNCTIONS: ReadonlySet<string> = new Set(
  `abs accurateCast accurateCastOrNull addDays addHours addMinutes addMonths addSeconds addWeeks addYears and any anyLast
   argMax argMin array arrayAll arrayAvg arrayConcat arrayCount arrayCumSum arrayDifference arrayDistinct arrayElement
   arrayEnumerate arrayEnumerateUniq arrayExists arrayFilter arrayFirst arrayFirstIndex arrayFlatten arrayIntersect arrayJoin
   arrayLast arrayMap arrayMax arrayMin arrayPopBack arrayPopFront arrayPushBack arrayPushFront arrayReverse arrayReverseSort
   arraySlice arraySort arrayStringConcat arraySum arrayUniq arrayZip assumeNotNull avg avgWeighted bar base64Decode
   base64Encode between bin bitAnd bitCount bitOr bitShiftLeft bitShiftRight bitXor caseWithExpression cast ceil ceiling
   cityHash64 coalesce concat concat_ws concatWithSeparator corr cos count countDistinct countEqual countSubstrings
   countSubstringsCaseInsensitive covarPop covarSamp cutIPv6 dateAdd dateDiff dateSub dateTrunc date_add date_diff date_sub
   date_trunc dense_rank divide domain domainWithoutWWW empty endsWith entropy equals exp exp10 exp2 extract extractAll
   first_value firstSignificantSubdomain floor format formatDateTime formatReadableQuantity formatReadableSize
   formatReadableTimeDelta fromUnixTimestamp fromUnixTimestamp64Milli fromUnixTimestamp64Micro gcd greater
   greaterOrEquals greatest groupArray groupArraySorted groupBitAnd groupBitOr groupUniqArray groupUniqArrayArray has hasAll
   hasAny hasSubstr hasToken hasTokenCaseInsensitive hex histogram if ifNull ignore ilike in indexOf intDiv intDivOrZero
   IPv4CIDRToRange IPv4NumToString IPv4StringToNum IPv4StringToNumOrDefault IPv4StringToNumOrNull IPv4ToIPv6
   IPv6CIDRToRange IPv6NumToString IPv6StringToNum IPv6StringToNumOrDefault IPv6StringToNumOrNull isFinite isInfinite
   isIPAddressInRange isIPv4String isIPv6String isNaN isNotNull isNull isValidJSON isValidUTF8 JSONExtract JSONExtractArrayRaw
   JSONExtractBool JSONExtractFloat JSONExtractInt JSONExtractKeys JSONExtractKeysAndValues JSONExtractKeysAndValuesRaw
   JSONExtractRaw JSONExtractString JSONExtractUInt JSONHas JSONLength JSONType JSON_EXISTS JSON_QUERY JSON_VALUE kurtPop
   kurtSamp lag lagInFrame lambda last_value lcm lead leadInFrame least left leftPad length lengthUTF8 less lessOrEquals like
   ln locate log log10 log1p log2 lower lowerUTF8 lpad ltrim MACNumToString MACStringToNum map mapContains mapFilter
   mapFromArrays mapKeys mapValues match max mean median medianExact medianTDigest min minus mod modulo multiIf multiply
   multiSearchAny multiSearchAnyCaseInsensitive nan negate ngramDistance ngramSearch not notEmpty notEquals notILike notIn
   notLike now nth_value ntile nullIf or percent_rank plus position positionCaseInsensitive positionCaseInsensitiveUTF8
   positionUTF8 pow power quantile quantileExact quantiles quantilesExact quantileTDigest quantileTiming range rank
   regexpExtract repeat replace replaceAll replaceOne replaceRegexpAll replaceRegexpOne reverse reverseUTF8 right rightPad
   round roundBankers row_number rpad rtrim sign sin sipHash64 skewPop skewSamp splitByChar splitByRegexp splitByString
   splitByWhitespace sqrt startsWith stddevPop stddevSamp subDate substr substring substringIndex substringUTF8
   subtractDays subtractHours subtractMinutes subtractMonths subtractSeconds subtractWeeks sum sumKahan sumMap
   tan timeSlot toDate toDateTime toDateTime64 toDayOfMonth toDayOfWeek toDayOfYear toFloat32 toFloat64 toFloat64OrNull
   toFloat64OrZero toHour toInt16 toInt32 toInt64 toInt64OrNull toInt64OrZero toInt8 toIntervalDay toIntervalHour
   toIntervalMinute toIntervalMonth toIntervalSecond toIntervalWeek toIntervalYear toIPv4 toIPv6 toISOWeek toISOYear
   toMinute toMonday toMonth toNullable toQuarter toRelativeDayNum toRelativeHourNum toSecond toStartOfDay
   toStartOfFifteenMinutes toStartOfFiveMinutes toStartOfHour toStartOfInterval toStartOfMinute toStartOfMonth
   toStartOfQuarter toStartOfTenMinutes toStartOfWeek toStartOfYear toString toTime toTimeZone today toTypeName toUInt16
   toUInt32 toUInt64 toUInt64OrNull toUInt64OrZero toUInt8 toUnixTimestamp toWeek toYear toYYYYMM toYYYYMMDD topK topKWeighted
   translate translateUTF8 trim trimBoth trimLeft trimRight tuple tupleElement truncate unhex uniq uniqCombined
   uniqCombined64 uniqExact uniqHLL12 upper upperUTF8 varPop varSamp xor xxHash64 yesterday`
    .split(/\s+/)
    .map((name) => name.toLowerCase()),
);

function isKnownFunction(name: string): boolean {
  let rest = name;
  for (let i = 0; i < 4; i++) {
    if (FUNCTIONS.has(rest.toLowerCase())) return true;
    const shorter = rest.replace(COMBINATORS, '');
    if (shorter === rest) return false;
    rest = shorter;
  }
  return false;
}

/** Functions that take a function: given by its name, it would be called without being looked at. */
const HIGHER_ORDER =
  /^(array(All|Avg|Count|CumSum|Exists|Filter|First|FirstIndex|Last|LastIndex|Map|Max|Min|Sort|ReverseSort|Sum|Fold|Fill|Split|PartialSort|Difference|CumSumNonNegative|Product|ReverseFill|ReverseSplit|FirstOrNull|LastOrNull)|map(Apply|Filter|Exists|All|Sort|ReverseSort|Update))$/i;

interface Node {
  depth: number;
  kind: string;
  name: string;
}

/**
 * Looks at a statement as the engine itself has parsed it, before anything of it is resolved or run: every kind of
 * node, function and table has to be on a list.
 * @param lines the answer to EXPLAIN AST
 * @param sql the statement as {@link normaliseSql} made it
 * @throws {WardwatchError} `WW_USAGE` with what is not allowed
 */
export function checkParsed(lines: readonly string[], sql: string, database: string): void {
  const nodes = lines
    .filter((line) => line !== '')
    .map((line): Node => {
      const [, indent = '', kind = '', name = ''] = /^( *)([A-Za-z:]+) ?(.*)$/s.exec(line) ?? [];
      return { depth: indent.length, kind, name: name.replace(/ \((children|alias)[\s\S]*$/, '') };
    });
  // The format that the answer of EXPLAIN was asked in stands beside the statement.
  if (nodes.at(-1)?.kind === 'Identifier' && nodes.at(-1)?.depth === 1) nodes.pop();
  const tables = new Set([...ANALYST_TABLES, ...ANALYST_TABLES.map((table) => `${database}.${table}`)]);
  // Names given by WITH: a name without a dot can only be one of those, or a table of our own database.
  for (const match of sql.matchAll(/(?<![.\w])([A-Za-z_]\w*|`\w+`) AS \( /gi))
    tables.add(match[1]!.replaceAll('`', ''));
  nodes.forEach((node, i) => {
    if (!NODES.has(node.kind)) refuse(`\`${node.kind}\` is not possible here.`, 'Only SELECT over tables is.');
    if (node.kind === 'Function') {
      if (parentOf(nodes, i)?.kind === 'TableExpression')
        refuse(`The table function \`${node.name.slice(0, 60)}\` is not possible here.`, TABLE_REMEDY);
      if (!isKnownFunction(node.name))
        refuse(
          `The function \`${node.name.slice(0, 60)}\` is not possible here.`,
          'Functions that compute from what they are given are; those that read files, settings or other hosts are not.',
        );
      if (HIGHER_ORDER.test(node.name)) checkLambda(nodes, i);
      if (/^(global)?(not)?(null)?in$/i.test(node.name)) checkIn(nodes, i);
    }
    if (node.kind === 'TableIdentifier' && !tables.has(node.name))
      refuse(`There is no table \`${node.name.slice(0, 60)}\` here.`, TABLE_REMEDY);
  });
}

/** Arguments of the function at a place. */
function argumentsOf(nodes: readonly Node[], at: number): Node[] {
  const depth = nodes[at]!.depth;
  const found: Node[] = [];
  for (let i = at + 1; i < nodes.length && nodes[i]!.depth > depth; i++)
    if (nodes[i]!.depth === depth + 2) found.push(nodes[i]!);
  return found;
}

/** What is searched in is a list or a subquery: a mere name would be a table. */
function checkIn(nodes: readonly Node[], at: number): void {
  if (argumentsOf(nodes, at).at(-1)?.kind === 'Identifier')
    refuse('IN asks for a list or a subquery.', 'Write `x IN (SELECT …)` or `x IN (1, 2)`.');
}

/** `arrayMap(file, names)` calls `file`: what is called has to be written out. */
function checkLambda(nodes: readonly Node[], at: number): void {
  const given = argumentsOf(nodes, at);
  if (given.length > 1 && given[0]!.kind !== 'Function')
    refuse(
      `\`${nodes[at]!.name}\` asks for what to do with each element.`,
      'Write it out, as in `arrayMap(x -> upper(x), names)`.',
    );
}

function parentOf(nodes: readonly Node[], at: number): Node | undefined {
  for (let i = at - 1; i >= 0; i--) if (nodes[i]!.depth < nodes[at]!.depth) return nodes[i];
  return undefined;
}

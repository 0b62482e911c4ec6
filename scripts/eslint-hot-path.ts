// The ESLint rule `wardwatch/hot-path`: nothing that allocates, hides a call or throws in code that runs per
// frame. What runs once (create…, open…, start, stop) may do as it likes, and so may a function
// whose comment says `@cold` and why.

import type { Rule } from 'eslint';

type FunctionNode = Rule.Node & { type: 'FunctionDeclaration' | 'FunctionExpression' | 'ArrowFunctionExpression' };

const COLD_NAME = /^(create|open|start|stop|close|report|snapshot|restore|constructor)/;
const SLOW_METHOD =
  /^(readU?Int|readBigU?Int|subarray|slice|map|filter|forEach|reduce|some|every|find|toString|split|join|concat|entries|keys|values)/;

const BANNED: Record<string, string> = {
  ArrowFunctionExpression: 'a closure',
  FunctionExpression: 'a closure',
  FunctionDeclaration: 'a closure',
  SpreadElement: 'a spread',
  ForOfStatement: 'for…of (use an index)',
  ForInStatement: 'for…in (use an index)',
  ObjectExpression: 'an object literal',
  ArrayExpression: 'an array literal',
  NewExpression: 'new',
  AwaitExpression: 'await',
  ThrowStatement: 'throw (return a code, count an event)',
  ClassExpression: 'a class',
};

function isFunction(node: Rule.Node): node is FunctionNode {
  return (
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
  );
}

function enclosingFunction(node: Rule.Node): FunctionNode | undefined {
  for (let at: Rule.Node | null = node.parent; at; at = at.parent) if (isFunction(at)) return at;
  return undefined;
}

function nameOf(fn: FunctionNode): string {
  if ('id' in fn && fn.id) return fn.id.name;
  const holder = fn.parent;
  if (holder.type === 'VariableDeclarator' && holder.id.type === 'Identifier') return holder.id.name;
  if ((holder.type === 'MethodDefinition' || holder.type === 'Property') && holder.key.type === 'Identifier') {
    return holder.key.name;
  }
  return '';
}

/** The statement or member in front of which a function's comment stands. */
function commented(fn: FunctionNode): Rule.Node {
  const around = /^(VariableDeclarator|VariableDeclaration|MethodDefinition|Property|Export.*)$/;
  let node: Rule.Node = fn;
  while (node.parent && around.test(node.parent.type)) node = node.parent;
  return node;
}

export const hotPath: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'no allocation, closures or exceptions in code that runs per frame' },
    messages: {
      hot: 'Hot path: no {{what}} here. Move it to a create… function, or write `@cold` and the reason above a function that runs rarely.',
    },
    schema: [],
  },
  create(context) {
    const source = context.sourceCode;
    const known = new Map<FunctionNode, boolean>();

    function isCold(fn: FunctionNode): boolean {
      let cold = known.get(fn);
      if (cold === undefined) {
        const name = nameOf(fn);
        if (name === '') {
          // A callback runs when its surroundings run.
          const around = enclosingFunction(fn);
          cold = !around || isCold(around);
        } else {
          const comments = source.getCommentsBefore(commented(fn));
          cold = COLD_NAME.test(name) || comments.some((comment) => /@cold\s+\S/.test(comment.value));
        }
        known.set(fn, cold);
      }
      return cold;
    }

    function report(node: Rule.Node, what: string): void {
      const fn = enclosingFunction(node);
      if (fn && !isCold(fn)) context.report({ node, messageId: 'hot', data: { what } });
    }

    const visitor: Rule.RuleListener = {};
    for (const [type, what] of Object.entries(BANNED)) {
      visitor[type] = (node: Rule.Node) => {
        if (node.parent?.type !== 'MethodDefinition') report(node, what);
      };
    }
    visitor['TemplateLiteral'] = (node) => {
      if (node.expressions.length > 0) report(node, 'a template string');
    };
    visitor['Literal'] = (node) => {
      if (typeof node.value === 'bigint') report(node, 'a BigInt');
    };
    visitor['CallExpression'] = (node) => {
      const callee = node.callee;
      if (callee.type === 'MemberExpression' && callee.property.type === 'Identifier') {
        if (SLOW_METHOD.test(callee.property.name)) report(node, `call of ${callee.property.name}`);
      }
    };
    return visitor;
  },
};

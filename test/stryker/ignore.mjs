/** What stryker leaves alone, with the reason that its report gives. */
export const strykerPlugins = [{ kind: 'Ignore', name: 'keyturn', value: { shouldIgnore: reasonFor } }];

function reasonFor(path) {
  if ((path.isStringLiteral() || path.isTemplateLiteral()) && isProse(fixedText(path.node), path)) return 'prose';
  return undefined;
}

function fixedText(node) {
  return node.type === 'StringLiteral' ? node.value : node.quasis.map(({ value }) => value.cooked).join('…');
}

/** Words for people. Commands are not: whoever is told a wrong one does the wrong thing. */
function isProse(text, path) {
  return text.includes(' ') && !text.startsWith('keyturn ') && !path.parentPath.isMemberExpression();
}

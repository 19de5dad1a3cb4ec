/** Foreign text made harmless for HTML. */

/** Characters of one foreign text that are shown; a name of 4 KB must not bury the others. */
const TEXT_LENGTH_MAX = 300;
/** What could end a text, start a tag, or reorder and hide what stands beside it. */
const UNSAFE = /[&<>"'`=\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
  '=': '&#61;',
  '\n': ' ',
  '\r': ' ',
  '\t': ' ',
};

/** Foreign text for an element or a quoted attribute; what cannot be seen is shown as U+FFFD. */
export function escapeHtml(text: string): string {
  const cut = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
  return cut.replace(UNSAFE, (char) => ENTITIES[char] ?? '\ufffd');
}

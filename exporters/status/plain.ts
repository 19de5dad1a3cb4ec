/**
 * Foreign text made safe for a terminal or a log: names come from firmware, BMCs and disks, and may
 * hold escape sequences, newlines, right-to-left overrides or 4 KB of anything. What could move the
 * cursor, change colours or reorder a line is shown as its code instead; width is counted in
 * terminal columns, so a table stays a table.
 */

/** Controls (C0, DEL, C1), formats (bidi, zero width), separators of lines, private and lone halves. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;
const MARK = /\p{M}/u;
const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{1f1e6}-\u{1f1ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
/** Marks kept on one base character; more is no script but a way to fill the screen. */
const MARKS_MAX = 2;
/** Code units looked at per column asked for: bounds the work on a text of any length. */
const UNITS_PER_COLUMN_MAX = 16;
const ELLIPSIS = '…';

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return `\\u{${code.toString(16)}}`;
}

/** The text on one line, with nothing in it that a terminal or a log reader obeys. */
export function plainText(text: string): string {
  return text.replace(/[^\S ]+/gu, ' ').replace(UNSAFE, escaped);
}

function charWidth(char: string): number {
  if (char < '\u0300') return 1;
  if (MARK.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** Columns a plain text takes in a terminal. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** The text made plain and cut to at most `columns`; a cut ends in an ellipsis. */
export function fit(text: string, columns: number): string {
  if (columns <= 0) return '';
  const head = text.slice(0, columns * UNITS_PER_COLUMN_MAX);
  const plain = plainText(head);
  let kept = '';
  let width = 0;
  let marks = 0;
  let lengthAtLast = 0;
  let widthAtLast = 0;
  for (const char of plain) {
    const charColumns = charWidth(char);
    marks = charColumns === 0 ? marks + 1 : 0;
    if (marks > MARKS_MAX) continue;
    if (width + charColumns > columns) return `${kept.slice(0, lengthAtLast)}${ELLIPSIS}`;
    kept += char;
    width += charColumns;
    if (width <= columns - 1) {
      lengthAtLast = kept.length;
      widthAtLast = width;
    }
  }
  if (head.length === text.length) return kept;
  return widthAtLast < width && width === columns
    ? `${kept.slice(0, lengthAtLast)}${ELLIPSIS}`
    : `${kept}${ELLIPSIS}`;
}

/** The text on at most `linesMax` lines of at most `columns`, broken at spaces; the last one is cut. */
export function wrap(text: string, columns: number, linesMax: number): readonly string[] {
  const lines: string[] = [];
  let rest = text;
  while (lines.length < linesMax - 1 && textWidth(fit(rest, columns + 1)) > columns) {
    const head = fit(rest, columns + 2);
    let cut = head.lastIndexOf(' ');
    while (cut > 0 && textWidth(head.slice(0, cut)) > columns) cut = head.lastIndexOf(' ', cut - 1);
    if (cut <= 0 || !rest.startsWith(head.slice(0, cut))) break;
    lines.push(head.slice(0, cut));
    rest = rest.slice(cut + 1);
  }
  return [...lines, fit(rest, columns)];
}

/** Like `fit`, filled with spaces to exactly `columns`. */
export function pad(text: string, columns: number): string {
  const fitted = fit(text, columns);
  return fitted + ' '.repeat(Math.max(0, columns - textWidth(fitted)));
}

const BARE_VALUE = /^[A-Za-z0-9._:/@+-]{1,200}$/u;
const LOG_VALUE_COLUMNS_MAX = 400;

/** A value of a `key=value` log line: bare when harmless, else quoted with `\` and `"` escaped. */
export function logValue(value: string): string {
  if (BARE_VALUE.test(value)) return value;
  const quoted = fit(value, LOG_VALUE_COLUMNS_MAX).replace(/["\\]/gu, '\\$&');
  return `"${quoted}"`;
}

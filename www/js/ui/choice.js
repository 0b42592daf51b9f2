/**
 * One of a few: radio buttons that look like one bar.
 */

import { el } from './dom.js';

/**
 * @param {string} title
 * @param {string} name
 * @param {[string, string][]} options  values and their words
 * @param {string} current
 * @param {(value: string) => void} [chosen]
 */
export function choice(title, name, options, current, chosen) {
  return el('fieldset', { class: 'choice' }, el('legend', {}, title),
    el('div', { class: 'segments' }, ...options.map(([value, text]) => {
      const input = el('input', { attrs: { type: 'radio', name: `choice-${name}`, value, checked: value === current } });
      if (chosen) input.addEventListener('change', () => chosen(value));
      return el('label', {}, input, el('span', { attrs: { lang: name === 'lang' ? value : null } }, text));
    })));
}

/**
 * What is chosen.
 * @param {HTMLElement} fieldset
 */
export function chosenIn(fieldset) {
  return fieldset.querySelector('input:checked')?.getAttribute('value') ?? '';
}

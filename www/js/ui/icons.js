/**
 * The icons: strokes on a grid of 24, drawn in the colour of the text around them.
 */

/** @type {Record<string, string>} */
const PATHS = {
  hash: 'M10 4 8 20M16 4l-2 16M4.5 9h15M4 15h15',
  lock: 'M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  menu: 'M4 7h16M4 12h16M4 17h16',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.4-3.6 3-5.5 6.5-5.5s6.100 1.900 6.500 5.500M16 4.600a3.300 3.300 0 0 1 0 6.100M18 15c2 .700 3.200 2.300 3.500 5',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20.500c.600-4 3.500-6 7.500-6s6.900 2 7.500 6',
  send: 'M4 12 20 4l-5.500 16-3-6.500zM11.500 13.500 20 4',
  gear: 'M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0',
  down: 'M12 5v14M6 13l6 6 6-6',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.500 2',
  check: 'M5 12.500 10 17.500 19.500 7',
  checks: 'M2 12.500l4.500 5L15 7M11 16l1.500 1.500L22 7',
  tray: 'M4 14 6.500 5h11L20 14v5H4zM4 14h5l1 2h4l1-2h5',
  warn: 'M12 4 2.800 20h18.400zM12 10v4.500M12 17.300v.2',
  retry: 'M19 8a8 8 0 1 0 1 5M20 4v5h-5',
  compass: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM15.500 8.500l-2 5-5 2 2-5z',
  invite: 'M10 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM3 20c.500-3.600 3.200-5.500 7-5.500 1.500 0 2.800.300 4 .900M18 14v6M15 17h6',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  door: 'M14 4H5v16h9M10 12h11M17.500 8.500 21 12l-3.500 3.500',
  bell: 'M6 17V11a6 6 0 0 1 12 0v6l1.500 1.500h-15zM10.500 21h3',
  eye: 'M2.500 12s3.500-6.500 9.500-6.500 9.500 6.500 9.500 6.500-3.500 6.500-9.500 6.500S2.500 12 2.500 12zM12 14.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z',
  file: 'M6 3h8l5 5v13H6zM14 3v5h5M9 13h6M9 17h6',
  link: 'M3 12h18M7 8l-4 4 4 4M17 8l4 4-4 4',
  relay: 'M3 17l9-9 9 9M21 11.500V17h-5.500',
  devices: 'M3 5h13v9H3zM2 18h12M18 9h3.500v10H17v-7',
  shield: 'M12 3l7.500 3v5.500c0 4.700-3 7.800-7.500 9.500-4.500-1.700-7.500-4.800-7.500-9.500V6zM8.500 12l2.500 2.500 4.500-5',
  attach: 'M20 11.500l-8.500 8.500a5 5 0 0 1-7-7L13 4.500a3.300 3.300 0 0 1 4.700 4.700L9.500 17.400a1.600 1.600 0 0 1-2.300-2.300L15 7.500',
  key: 'M8 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 12h9.500M17.500 12v4M20.500 12v3',
  finger: 'M5 15v-3a7 7 0 0 1 14 0v4M8 19c.700-2 .800-4.500.800-7a3.200 3.200 0 0 1 6.400 0c0 3-.200 5.500-1 8M12 12c0 3.500-.200 6-1 9M5.500 18.500l.200-.700',
  phone: 'M7 3h10v18H7zM10.500 18h3',
  print: 'M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z',
  bot: 'M5 9h14v10H5zM12 9V5M9.500 13v2M14.500 13v2M2.500 12.500v3M21.500 12.500v3',
  back: 'M20 12H4M10.500 5.500 4 12l6.500 6.500',
};

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name] ?? '');
  svg.append(path);
  return svg;
}

/**
 * Puts icons where the page's markup asks for them with `data-icon`.
 * @param {ParentNode} root
 */
export function placeIcons(root) {
  for (const node of root.querySelectorAll('[data-icon]')) {
    node.prepend(icon(node.getAttribute('data-icon') ?? ''));
    node.removeAttribute('data-icon');
  }
}

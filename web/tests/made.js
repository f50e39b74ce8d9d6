// What a page is measured by, in the page itself: what sticks out, what cannot be read, what has no name.

/** Elements that stick out of the window, and targets that a finger misses. */
export function unmade(least) {
  const found = [];
  const { clientWidth } = document.documentElement;
  if (document.documentElement.scrollWidth > clientWidth) found.push('the page scrolls sideways');
  for (const element of document.querySelectorAll('button, a, input, textarea, select')) {
    if (!element.checkVisibility({ visibilityProperty: true }) || element.closest('[inert], .out, .skip')) continue;
    const { left, right, width, height } = element.getBoundingClientRect();
    const name = `${element.tagName} ${element.id || element.className || element.textContent}`;
    if (left < -1 || right > clientWidth + 1) found.push(`${name} sticks out`);
    const inText = getComputedStyle(element).display === 'inline';
    const isChoice = ['checkbox', 'radio'].includes(element.type);
    if (least && !inText && !isChoice && (height < least || width < least)) found.push(`${name} is ${Math.round(width)} by ${Math.round(height)}`);
  }
  return found;
}

/** The least contrast of what is written, by WCAG: 4.5 to 1. */
export function faint() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const writes = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
    if (!writes || !element.checkVisibility({ visibilityProperty: true }) || element.closest('[inert], .out, .skip, noscript, [disabled]')) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) found.push(`${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return found;
}

/** Parts without a role or a name, and ids that are there twice. */
export function unnamed() {
  const found = [];
  for (const element of document.querySelectorAll('button, a, input, textarea, select, dialog, aside, nav, [role="region"], [role="toolbar"]')) {
    if (element.closest('[inert]') || !element.checkVisibility()) continue;
    const by = (element.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('');
    const name = element.getAttribute('aria-label') || by || element.labels?.[0]?.textContent || element.textContent;
    const own = element.matches('dialog, aside, nav, [role]') ? element.getAttribute('aria-label') || by : name;
    if (!own?.trim()) found.push(element.outerHTML.slice(0, 80));
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  return [...found, ...ids.filter((id, index) => ids.indexOf(id) !== index)];
}

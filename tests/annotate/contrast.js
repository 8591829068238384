// Contrast of every text on the page with what is behind it, as WCAG 2 defines it.
() => {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = (front, back) => {
    const alpha = front[3] ?? 1;
    return [0, 1, 2].map((channel) => alpha * front[channel] + (1 - alpha) * back[channel]);
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      layers.push(numbers(getComputedStyle(e).backgroundColor));
      if ((layers.at(-1)[3] ?? 1) === 1) break;
    }
    return layers.reduceRight((back, front) => over(front, back), [255, 255, 255]);
  };
  const ratio = (colour, ground) => {
    const [dark, light] = [luminance(over(numbers(colour), ground)), luminance(ground)].sort((a, b) => a - b);
    return Math.round(((light + 0.05) / (dark + 0.05)) * 100) / 100;
  };
  const root = document.querySelector("dialog[open]") ?? document.body;
  const found = [];
  for (const element of root.querySelectorAll("*")) {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (element.closest(".hidden, .jump, dialog:not([open]), noscript, svg")) continue;
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    const ground = behind(element);
    if (text) found.push([text, ratio(getComputedStyle(element).color, ground)]);
    if (element.placeholder) found.push([element.placeholder, ratio(getComputedStyle(element, "::placeholder").color, ground)]);
  }
  return found;
}

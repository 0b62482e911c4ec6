// Evaluated in the page. Gives the texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3),
// with the colours as the browser resolves them. Disabled controls are exempt there, and here.
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const over = (colour, under) => {
    canvas.fillStyle = `rgb(${under.join(' ')})`;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const behind = (element) =>
    element === null ? [255, 255, 255] : over(getComputedStyle(element).backgroundColor, behind(element.parentElement));
  const luminance = (rgb) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
      const c = rgb[i] / 255;
      return sum + weight * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    }, 0);
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const nodes = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const text = nodes
      .map((node) => node.textContent)
      .join('')
      .trim();
    if (!text || element.closest(':disabled, option, noscript') || !element.checkVisibility()) continue;
    const back = behind(element);
    const front = over(getComputedStyle(element).color, back);
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faint.push(`${text.slice(0, 30)} ${contrast.toFixed(2)}`);
  }
  return faint;
})();

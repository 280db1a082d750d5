// node lighthouse.mjs CHROMIUM URL [COOKIE]: measure one page on a slow phone, as Lighthouse does unless told otherwise.
// Prints JSON: the scores from 0 to 100, the audits that cost points, and the bytes of every request.
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const [chromePath, url, cookie] = process.argv.slice(2);
const chrome = await launch({ chromePath, chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu"] });
try {
  const { lhr } = await lighthouse(url, {
    port: chrome.port,
    logLevel: "silent",
    onlyCategories: ["performance", "accessibility", "best-practices"],
    extraHeaders: cookie ? { Cookie: cookie } : undefined,
  });
  const scores = Object.values(lhr.categories).map(({ id, score }) => [id, Math.round(score * 100)]);
  const counted = Object.values(lhr.categories).flatMap(({ auditRefs }) => auditRefs.filter(({ weight }) => weight));
  const lost = counted.map(({ id }) => lhr.audits[id]).filter(({ score }) => score !== null && score < 0.9);
  const requests = lhr.audits["network-requests"].details.items;
  const weigh = ({ url, transferSize }) => [url, transferSize];
  console.log(JSON.stringify({
    scores: Object.fromEntries(scores),
    lost: lost.map(({ id, title, displayValue }) => [id, title, displayValue ?? ""].join(": ")),
    // what is in the page itself is no request
    weights: Object.fromEntries(requests.filter(({ url }) => !url.startsWith("data:")).map(weigh)),
  }));
} finally {
  await chrome.kill();
}

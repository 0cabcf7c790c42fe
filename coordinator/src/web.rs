//! The live page: files that are part of this program, served as they are.

use crate::http::App;
use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::routing::get;

/// Scripts and styles come from this program and nowhere else, nothing is written into the page's text, and no other page
/// may show this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, type, content.
type Asset = (&'static str, &'static str, &'static str);

const ASSETS: &[Asset] = &[
    ("/", HTML, include_str!("web/index.html")),
    ("/web/icon.svg", SVG, include_str!("web/icon.svg")),
    ("/web/page.css", CSS, include_str!("web/page.css")),
    ("/web/parts.css", CSS, include_str!("web/parts.css")),
    ("/web/main.js", SCRIPT, include_str!("web/main.js")),
    ("/web/ask.js", SCRIPT, include_str!("web/ask.js")),
    ("/web/stream.js", SCRIPT, include_str!("web/stream.js")),
    ("/web/known.js", SCRIPT, include_str!("web/known.js")),
    ("/web/words.js", SCRIPT, include_str!("web/words.js")),
    ("/web/dom.js", SCRIPT, include_str!("web/dom.js")),
    ("/web/alerts.js", SCRIPT, include_str!("web/alerts.js")),
    ("/web/figures.js", SCRIPT, include_str!("web/figures.js")),
    ("/web/fleet.js", SCRIPT, include_str!("web/fleet.js")),
    ("/web/fleet-table.js", SCRIPT, include_str!("web/fleet-table.js")),
    ("/web/colours.js", SCRIPT, include_str!("web/colours.js")),
    ("/web/waiting.js", SCRIPT, include_str!("web/waiting.js")),
    ("/web/charts.js", SCRIPT, include_str!("web/charts.js")),
    ("/web/timeline.js", SCRIPT, include_str!("web/timeline.js")),
    ("/web/events.js", SCRIPT, include_str!("web/events.js")),
    ("/web/event-words.js", SCRIPT, include_str!("web/event-words.js")),
    ("/web/details.js", SCRIPT, include_str!("web/details.js")),
    ("/web/worker.js", SCRIPT, include_str!("web/worker.js")),
    ("/web/task.js", SCRIPT, include_str!("web/task.js")),
    ("/web/log.js", SCRIPT, include_str!("web/log.js")),
    ("/web/vendor/uplot.js", SCRIPT, include_str!("web/vendor/uPlot.iife.min.js")),
    ("/web/vendor/uplot.css", CSS, include_str!("web/vendor/uPlot.min.css")),
];

/// The page and what it loads. None of it needs a token, for none of it tells anything of the farm.
pub fn routes() -> Router<App> {
    let serve = |router: Router<App>, &(path, kind, content): &Asset| {
        router.route(path, get(move || async move { (headers(kind), content) }))
    };
    ASSETS.iter().fold(Router::new(), serve)
}

fn headers(kind: &'static str) -> HeaderMap {
    let fixed = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A newer program brings a newer page, at the same addresses.
        (CACHE_CONTROL, "no-cache"),
    ];
    fixed.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

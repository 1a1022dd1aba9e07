//! Redirects that reqwest follows inside of its client.

use std::cell::RefCell;

use http::{Uri, header};
use opentelemetry::KeyValue;
use reqwest::redirect::Policy;
use reqwest::{Response, Url};

use crate::exchange::Exchange;
use crate::semconv::url;

/// The conventions know no redirects that are not spans of their own, so these keys are ours.
const REDIRECT_URL: &str = "otelhttp.redirect.url";
const REDIRECT_COUNT: &str = "otelhttp.redirect.count";

thread_local! {
    /// The last redirect of the call that is polled on this thread.
    static LAST: RefCell<LastRedirect> = const { RefCell::new(None) };
}

/// Boxed, since few calls are redirected.
pub(super) type LastRedirect = Option<Box<Redirect>>;

#[derive(Debug)]
pub(super) struct Redirect {
    number: usize,
    to: Url,
}

/// Lets spans tell how many redirects the client has followed, as `otelhttp.redirect.count`. The
/// policy decides as it did.
///
/// ```
/// use otelhttp::reqwest::count_redirects;
/// use reqwest::redirect::Policy;
///
/// let client = reqwest::Client::builder().redirect(count_redirects(Policy::limited(3))).build()?;
/// # let _ = client;
/// # Ok::<_, reqwest::Error>(())
/// ```
#[must_use]
pub fn count_redirects(policy: Policy) -> Policy {
    Policy::custom(move |attempt| {
        let redirect = Redirect { number: attempt.previous().len(), to: attempt.url().clone() };
        LAST.replace(Some(Box::new(redirect)));
        policy.redirect(attempt)
    })
}

/// Makes this call the one that the policy speaks of, until the guard goes.
pub(super) fn watch(own: &mut LastRedirect) -> impl Drop {
    let others = LAST.replace(own.take());
    Watched { own, others }
}

struct Watched<'c> {
    own: &'c mut LastRedirect,
    others: LastRedirect,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        *self.own = LAST.replace(self.others.take());
    }
}

/// Tells which URL has answered, if it is not the one that was asked.
pub(super) fn note(exchange: &Exchange, asked: &Uri, response: &Response) {
    let answered = response.url();
    if !exchange.is_recorded() {
        return;
    }
    if let Some(count) = LAST.with_borrow(|last| last.as_deref().map(|last| last.followed(response))) {
        exchange.say(|late| late.set_attribute(KeyValue::new(REDIRECT_COUNT, count)));
    }
    if *asked == *answered.as_str() {
        return;
    }
    let Ok(uri) = Uri::try_from(answered.as_str()) else { return };
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let keys = &exchange.config.sensitive_query_keys;
    let shown = url::full(answered.scheme(), authority, &uri, keys);
    exchange.say(|late| late.set_attribute(KeyValue::new(REDIRECT_URL, shown)));
}

impl Redirect {
    /// A policy that stops leaves the response as it is, so the last redirect counts only if it led to
    /// where the answer came from, and that is not the answer that asks for it.
    fn followed(&self, response: &Response) -> i64 {
        let asks = response.status().is_redirection() && response.headers().contains_key(header::LOCATION);
        let stopped = self.to != *response.url() || asks;
        i64::try_from(self.number.saturating_sub(usize::from(stopped))).unwrap_or(i64::MAX)
    }
}

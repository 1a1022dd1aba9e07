//! Whether a call failed, and how that is said.

use std::borrow::Cow;

use http::StatusCode;

use super::Outcome;
use crate::config::{Config, Side};
use crate::semconv::error::{CANCELLED, Failure, PANIC};
use crate::semconv::status::is_error;

/// The `error.type` and the description of a call that failed.
pub(super) type Verdict = Failure;

/// Nothing if the call did not fail. What the user says of it is believed, but for a panic.
///
/// "Don't set the span status description if the reason can be inferred from
/// `http.response.status_code`": HTTP spans, status.
pub(super) fn of(
    config: &Config,
    outcome: &Outcome,
    status: Option<StatusCode>,
    said: Option<&Failure>,
) -> Option<Verdict> {
    let by_status = || {
        let status = status.filter(|status| is_error(config.side, *status))?;
        Some(Failure::named(Cow::Owned(status.as_str().to_owned())))
    };
    let happened = match outcome {
        Outcome::Panicked => return Some(Failure::named(PANIC)),
        Outcome::Failed(failure) => Some(Failure::clone(failure)),
        // A client may lose interest at any time; it takes a server to be left in the lurch.
        Outcome::Dropped if config.side == Side::Server && config.cancellation => {
            Some(Failure::named(CANCELLED))
        }
        Outcome::Dropped | Outcome::Complete => by_status(),
        Outcome::Upgraded => None,
    };
    let Some(said) = said else { return happened };
    let description = happened.map_or(Cow::Borrowed(""), |happened| happened.description);
    Some(Failure { error_type: said.error_type.clone(), description, code: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(
        side: Side,
        outcome: &Outcome,
        status: Option<u16>,
        said: Option<&'static str>,
    ) -> Option<String> {
        let status = status.map(|status| StatusCode::from_u16(status).unwrap());
        let said = said.map(Failure::named);
        of(&Config::new(side), outcome, status, said.as_ref()).map(|verdict| verdict.error_type.into_owned())
    }

    #[test]
    fn the_table_of_endings() {
        use Outcome::{Complete, Dropped, Failed, Panicked, Upgraded};
        let failed = Failed(Box::new(Failure::named("reset")));
        for (side, outcome, status, said, expected) in [
            (Side::Server, &Complete, Some(200), None, None),
            (Side::Server, &Complete, Some(404), None, None),
            (Side::Server, &Complete, Some(503), None, Some("503")),
            (Side::Server, &failed, None, None, Some("reset")),
            (Side::Server, &failed, Some(200), None, Some("reset")),
            (Side::Server, &Dropped, None, None, Some("cancelled")),
            (Side::Server, &Dropped, Some(200), None, Some("cancelled")),
            (Side::Server, &Panicked, None, None, Some("panic")),
            (Side::Server, &Panicked, Some(200), Some("mine"), Some("panic")),
            (Side::Server, &Upgraded, Some(101), None, None),
            (Side::Client, &Complete, Some(404), None, Some("404")),
            (Side::Client, &Dropped, None, None, None),
            (Side::Client, &Dropped, Some(200), None, None),
            (Side::Client, &Dropped, Some(500), None, Some("500")),
            (Side::Client, &failed, None, None, Some("reset")),
            (Side::Server, &Complete, Some(200), Some("mine"), Some("mine")),
            (Side::Server, &Complete, Some(500), Some("mine"), Some("mine")),
            (Side::Server, &failed, None, Some("mine"), Some("mine")),
        ] {
            let verdict = verdict(side, outcome, status, said);
            assert_eq!(verdict.as_deref(), expected, "{side:?} {outcome:?} {status:?} {said:?}");
        }
    }

    #[test]
    fn a_client_that_went_away_may_be_no_error() {
        let config = Config { cancellation: false, ..Config::new(Side::Server) };
        assert_eq!(of(&config, &Outcome::Dropped, None, None), None);
    }
}

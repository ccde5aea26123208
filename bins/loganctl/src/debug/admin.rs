//! Asking a broker's admin listener: JSON over HTTP, and its problems as failures.

use std::time::Duration;

use command_line::Failure;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{Method, Request};

use crate::cli::AdminOptions;

/// The longest answer that is read; the broker's lists are shorter.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A broker's admin listener.
pub(super) struct Admin {
    agent: ureq::Agent,
    address: String,
    token: Option<String>,
}

/// What the API says when it does not do what was asked (RFC 9457).
#[derive(Debug, Default, Deserialize)]
struct Problem {
    detail: String,
}

impl Admin {
    /// # Errors
    /// A token that cannot be read.
    pub(super) fn new(options: &AdminOptions, timeout: Duration) -> Result<Self, Failure> {
        let read = |path: &std::path::PathBuf| -> Result<String, Failure> {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(Failure::file("read the token file", path))?;
            Ok(text.trim().to_owned())
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(timeout))
            .build();
        Ok(Self {
            agent: config.into(),
            address: options.admin.clone(),
            token: options.token_file.as_ref().map(read).transpose()?,
        })
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, String::new())
    }

    pub(super) fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::POST, path, String::new())
    }

    pub(super) fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.ask(Method::PUT, path, body.to_string())
    }

    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<T, Failure> {
        let is_change = method != Method::GET;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if is_change {
            request = request.header("Content-Type", "application/json");
            if let Some(token) = &self.token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
        }
        let answered = match request.body(body) {
            Ok(request) if is_change => self.agent.run(request),
            Ok(request) => self.agent.run(request.map(|_empty| ())),
            Err(error) => return Err(Failure::usage(error.to_string(), "--admin is HOST:PORT")),
        };
        let mut answer = answered.map_err(|error| self.unreachable(&error.to_string()))?;
        let status = answer.status();
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|error| self.unreachable(&error.to_string()))?;
        if status.is_success() {
            return serde_json::from_str(&text)
                .map_err(|error| self.unreachable(&error.to_string()));
        }
        let problem: Problem = serde_json::from_str(&text).unwrap_or_default();
        let problem = if problem.detail.is_empty() {
            format!("{} answers with HTTP status {status}", self.address)
        } else {
            problem.detail
        };
        Err(Failure::refused(problem, advice_for(status.as_u16())))
    }

    fn unreachable(&self, problem: &str) -> Failure {
        Failure::refused(
            format!(
                "cannot ask the admin listener at {}: {problem}",
                self.address
            ),
            "--admin is the broker's logan.admin.listener, which is nowhere unless it is configured",
        )
    }
}

fn advice_for(status: u16) -> &'static str {
    match status {
        401 => "--token-file is the file that the broker has as logan.admin.token.file",
        403 => "set logan.admin.token.file and start the broker again",
        404 => "is this Logan's admin listener, of the same version?",
        409 => "the broker's configuration says what is recorded, and where to",
        _ => "the broker's log may say more",
    }
}

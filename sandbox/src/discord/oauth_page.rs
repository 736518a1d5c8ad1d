//! The page on which a person says who they are. In: what was asked for, and who there is. Out: HTML that a test browser, or a
//! visitor of the demo, can click.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::oauth_grants::Asked;
use crate::page::{escaped, page};

const TITLE: &str = "Sandbox Discord";

/// A button for each person, a field for somebody new, and a way to say no. The form posts to its own address, query and all.
pub(crate) fn choice(asked: &Asked, people: &[(u64, String)]) -> Html<String> {
    let scopes: String = asked.scopes.iter().map(|scope| format!("<li>{}</li>", escaped(scope))).collect();
    let people: String = people
        .iter()
        .map(|(id, name)| {
            let name = escaped(name);
            format!("<p><button name=\"user_id\" value=\"{id}\">Authorize as {name}</button></p>\n")
        })
        .collect();
    let body = format!(
        "<h1>Sandbox Discord: who are you?</h1>\n<p>Nexrole wants:</p>\n<ul>{scopes}</ul>\n\
         <form method=\"post\">\n{people}</form>\n\
         <form method=\"post\">\n<p><label>Somebody new: <input name=\"username\" required></label>\n\
         <button>Authorize</button></p>\n</form>\n\
         <form method=\"post\">\n<p><button name=\"cancel\" value=\"1\">Cancel</button></p>\n</form>"
    );
    page(TITLE, &body)
}

/// What is wrong with the request, said to the person: nobody is sent to an address that is not registered.
pub(crate) fn refusal(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, page(TITLE, &format!("<h1>{}</h1>", escaped(why)))).into_response()
}

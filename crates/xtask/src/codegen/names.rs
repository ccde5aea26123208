//! Names in Rust's spelling.

/// Rust's keywords that occur as field names.
const KEYWORDS: [&str; 4] = ["type", "match", "ref", "use"];

/// `TopicId` as a module or file name: `topic_id`.
pub(crate) fn module(name: &str) -> String {
    let mut snake = String::new();
    let characters: Vec<char> = name.chars().collect();
    for (index, character) in characters.iter().enumerate() {
        let follows_lower = index > 0 && !characters[index - 1].is_uppercase();
        let precedes_lower = characters
            .get(index + 1)
            .is_some_and(|next| next.is_lowercase());
        if character.is_uppercase() && index > 0 && (follows_lower || precedes_lower) {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// `TopicId` as a field name, escaped where it is a keyword.
pub(crate) fn field(name: &str) -> String {
    let snake = module(name);
    if KEYWORDS.contains(&snake.as_str()) {
        format!("r#{snake}")
    } else {
        snake
    }
}

/// `ProduceRequest` as an API's name: `Produce`.
pub(crate) fn api(name: &str) -> &str {
    name.strip_suffix("Request").unwrap_or(name)
}

//! `scale SUBJECT DIMENSION SIZE REQUESTS` sends so many requests under one load and prints how many a second.

fn main() {
    peers::scale::run(|| 0);
}

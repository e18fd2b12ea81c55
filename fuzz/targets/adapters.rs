//! Target `adapters`: any text to every adapter. What one accepts must survive our own format, what it refuses must be told
//! in few words, and the adapter that chooses must find what some adapter finds.

use bencher_analysis::{
    AdapterError,
    adapter::{ORDER, to_bmf},
    parse,
};
use bencher_types::wire::adapter::{Adapter, Average};

/// Far more than an excerpt and its sentence take, far less than an output.
const LONG_MESSAGE: usize = 8 * 1024;

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for average in [None, Some(Average::Mean), Some(Average::Median)] {
        let found: Vec<_> = ORDER.iter().map(|&adapter| one(adapter, average, &text)).collect();
        let of = |adapter| ORDER.iter().position(|&known| known == adapter).and_then(|index| found[index].clone());
        let either = of(Adapter::RustGungraunStdout).or(of(Adapter::RustGungraunJson));
        assert_eq!(one(Adapter::RustGungraun, average, &text), either, "Gungraun's text or its JSON");
        let magic = one(Adapter::Magic, average, &text);
        assert_eq!(magic, found.into_iter().flatten().next(), "the first adapter that understands has it");
    }
}

/// What an adapter finds, in our own format.
fn one(adapter: Adapter, average: Option<Average>, text: &str) -> Option<String> {
    match parse(adapter, average, text) {
        Ok(metrics) => {
            let bmf = to_bmf(&metrics);
            match parse(Adapter::Json, None, &bmf) {
                Ok(again) => assert_eq!(again, metrics, "metrics changed on their way through BMF"),
                Err(error) => panic!("our own BMF is refused: {error:?}\n{bmf}"),
            }
            Some(bmf)
        }
        Err(error) => {
            let message = chain(&error);
            assert!(message.len() <= LONG_MESSAGE, "a message of {} bytes", message.len());
            None
        }
    }
}

fn chain(error: &AdapterError) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

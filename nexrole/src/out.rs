//! Lines on stdout. In: text. Out: it is written, or nobody reads any more, as behind `| head -1`: then the process ends without a
//! word, where std's `println!` panics.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    process,
};

/// As a shell reports a program that was ended by SIGPIPE.
const NOBODY_READS: i32 = 141;

/// std's, but for a reader that has gone.
macro_rules! println {
    () => { $crate::out::line(format_args!("")) };
    ($($text:tt)*) => { $crate::out::line(format_args!($($text)*)) };
}

pub(crate) fn line(text: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    written(stdout.write_fmt(text).and_then(|()| stdout.write_all(b"\n")));
}

/// Ends the process if stdout does not take more.
pub(crate) fn written(written: io::Result<()>) {
    let Err(error) = written else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        process::exit(NOBODY_READS);
    }
    eprintln!("nexrole: stdout cannot be written: {error}");
    process::exit(1);
}

//! The native peer as a program.

use std::process::ExitCode;

use peer::cli;

fn main() -> ExitCode {
    let args = cli::args::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return cli::exit::Failed::because(error.to_string()).tell().into(),
    };
    let exit = runtime.block_on(cli::run(args));
    // Without waiting for a thread that still reads standard input.
    runtime.shutdown_background();
    exit.into()
}

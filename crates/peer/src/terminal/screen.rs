//! The terminal: taken over, drawn to, and given back as it was, whatever happens.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
};
use crossterm::terminal::{
    DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};
use rustix::process::Signal;
use rustix::termios::QueueSelector;
use tokio::sync::Notify;

/// Presses and the wheel, without movements, which would wake the program for nothing.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// Whether the terminal is ours now. There is one terminal, so there is one such fact.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Prints a panic.
type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The terminal while it is taken over. Dropping it gives the terminal back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
    panicked: Arc<Notify>,
    hook: Arc<Hook>,
}

impl Screen {
    /// Takes the terminal over. A panic, in whichever thread, gives it back before it is printed.
    ///
    /// # Errors
    /// When there is no terminal, or not one that can do this.
    pub fn enter() -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::other("this needs a terminal for input and output"));
        }
        if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
            return Err(io::Error::other("this needs a terminal that can move its cursor"));
        }
        let panicked = Arc::new(Notify::new());
        let hook: Arc<Hook> = Arc::new(std::panic::take_hook());
        std::panic::set_hook(Box::new({
            let (panicked, hook) = (Arc::clone(&panicked), Arc::clone(&hook));
            move |info| {
                give_back();
                hook(info);
                panicked.notify_one();
            }
        }));
        // From here on a failure drops the screen, which undoes what was done.
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout()));
        let mut screen = Self { terminal: Terminal::new(backend)?, mouse: true, panicked, hook };
        screen.take()?;
        Ok(screen)
    }

    fn take(&mut self) -> io::Result<()> {
        TAKEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        let out = self.terminal.backend_mut();
        // Without line wrap, a character that the terminal finds wider than we do can't push others down.
        queue!(
            out,
            EnterAlternateScreen,
            DisableLineWrap,
            EnableBracketedPaste,
            EnableFocusChange
        )?;
        out.write_all(if self.mouse { MOUSE_ON } else { MOUSE_OFF }.as_bytes())?;
        out.flush()?;
        self.redraw()
    }

    /// Completes once a panic has given the terminal back.
    pub async fn panicked(&self) {
        self.panicked.notified().await;
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if TAKEN.load(Ordering::SeqCst) {
            self.terminal.draw(draw)?;
        }
        Ok(())
    }

    /// Forgets what is on the screen: the next drawing draws all of it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn redraw(&mut self) -> io::Result<()> {
        // Not with `clear`, which asks the terminal where its cursor is, while another thread reads the answers.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Its columns and rows.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Takes the mouse, or leaves it to the terminal.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn mouse(&mut self, wanted: bool) -> io::Result<()> {
        self.mouse = wanted;
        self.write(if wanted { MOUSE_ON } else { MOUSE_OFF })
    }

    /// Rings.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn bell(&mut self) -> io::Result<()> {
        self.write("\x07")
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Gives the terminal back and stops the program, as Ctrl-Z does elsewhere. [`Self::resume`] goes on. Where there is
    /// no shell that could wake it, the system doesn't stop it.
    ///
    /// # Errors
    /// When the signal can't be sent.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        rustix::process::kill_current_process_group(Signal::TSTP)?;
        Ok(())
    }

    /// Takes the terminal over again.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resume(&mut self) -> io::Result<()> {
        // A shell may have changed its modes meanwhile.
        disable_raw_mode()?;
        self.take()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        if !std::thread::panicking() {
            let hook = Arc::clone(&self.hook);
            std::panic::set_hook(Box::new(move |info| hook(info)));
        }
    }
}

/// Gives the terminal back, if it is ours. Nothing can be done about errors here.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout().lock();
    let _ = out.write_all(MOUSE_OFF.as_bytes());
    let _ = queue!(
        out,
        DisableFocusChange,
        DisableBracketedPaste,
        EnableLineWrap,
        cursor::Show,
        LeaveAlternateScreen
    );
    let _ = out.flush();
    // What the mouse still said is not for the shell.
    let _ = rustix::termios::tcflush(io::stdin(), QueueSelector::IFlush);
    let _ = disable_raw_mode();
}

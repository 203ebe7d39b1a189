//! The screen's life: keys, signals, redrawing; and the terminal as it was, whatever happens.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event as Input};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use ratatui::layout::Rect;
use ratatui::{DefaultTerminal, Terminal, TerminalOptions, Viewport};

use super::board::{Board, Wish};
use super::hook::Hook;
use super::kin::kin;
use super::lines::{Filter, next_due};
use super::rounds::Rounds;
use super::screen::draw;
use super::{Verdict, too_late, verdict};
use crate::cli::watch_args::WatchRequest;
use crate::commands::End;
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::signals::{
    self, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, Watch as Signals,
};

const SIGNALS: [i32; 6] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT];

/// Signals are blocked and asked for so often: a handler could not give the terminal back.
const GLANCE: Duration = Duration::from_millis(100);

/// Shows everything until the end that was asked for.
pub(super) fn watch(
    request: &WatchRequest,
    mut rounds: Rounds<'_>,
    deadline: Option<Instant>,
    voice: &Voice,
) -> Result<End, Failure> {
    let signals = Signals::new(&SIGNALS);
    let command = request.exec.clone();
    let hook = command.map(|command| Hook::new(command, signals.mask_before(), true));
    let mut hook = hook.transpose()?;
    let filter = Filter::new(&request.events);
    let board = Board::new(request.interval, voice.has_colour_on(io::stdout().is_terminal()));
    let mut screen = Screen::open(board, signals)?;
    let mut due = Instant::now();
    let ended = loop {
        let events = rounds.next();
        if let Some(hook) = &mut hook {
            events.iter().filter(|event| filter.lets(event)).for_each(|event| hook.tell(event));
            screen.board.message = hook.news().pop().or(screen.board.message.take());
        }
        screen.board.update(rounds.samples(), |path| voice.shown(path));
        screen.renew_kin();
        match verdict(request, &rounds, deadline) {
            Verdict::GoOn => {}
            Verdict::Reached => break Ok(Outcome::Ok.into()),
            Verdict::TooLate => break Err(too_late(request, &rounds, voice)),
        }
        due = next_due(due, request.interval);
        let until = deadline.map_or(due, |deadline| due.min(deadline));
        match screen.show_until(until) {
            Ok(None) => {}
            Ok(Some(end)) => break Ok(end),
            Err(error) => break Err(no_terminal(error)),
        }
    };
    // The terminal first: what follows may take its time, and may speak.
    drop(screen);
    if ended.as_ref().is_ok_and(|end: &End| end.signal.is_some()) {
        return ended;
    }
    if let Some(hook) = hook {
        hook.finish(voice);
    }
    ended
}

fn no_terminal(error: io::Error) -> Failure {
    Failure::new(Outcome::IoError, "cannot use the terminal")
        .caused_by(error)
        .hint("for lines of JSON instead, add --json")
}

/// The terminal, taken over; dropping it gives it back.
struct Screen {
    terminal: DefaultTerminal,
    board: Board,
    signals: Signals,
}

impl Screen {
    fn open(board: Board, signals: Signals) -> Result<Self, Failure> {
        // This also gives the terminal back when a defect panics.
        let terminal = ratatui::try_init_with_options(whole_window()).map_err(no_terminal)?;
        // From the first question on it is noticed that the window changes its size, so that comes
        // before the first look at the size.
        drop(event::poll(Duration::ZERO));
        let mut screen = Self { terminal, board, signals };
        screen.take_over().map_err(no_terminal)?;
        Ok(screen)
    }

    /// Shows the board and does what keys and signals ask for, until it is time to look again.
    fn show_until(&mut self, until: Instant) -> io::Result<Option<End>> {
        self.draw()?;
        loop {
            while let Some(arrival) = self.signals.wait(Some(Duration::ZERO)) {
                match arrival.signal {
                    SIGTSTP => self.suspend()?,
                    SIGCONT => self.take_over()?,
                    signal => return Ok(Some(by_signal(signal))),
                }
                self.draw()?;
            }
            let left = until.saturating_duration_since(Instant::now());
            // Keys are heard also where looking takes all the time there is.
            let is_pressed = event::poll(left.min(GLANCE))?;
            if left.is_zero() && !is_pressed {
                return Ok(None);
            }
            if is_pressed {
                if let Some(end) = self.obey(&event::read()?)? {
                    return Ok(Some(end));
                }
                self.draw()?;
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let board = &self.board;
        self.terminal.draw(|frame| draw(frame, board))?;
        Ok(())
    }

    fn obey(&mut self, input: &Input) -> io::Result<Option<End>> {
        let key = match input {
            Input::Key(key) => key,
            Input::Resize(..) => return self.begin_anew().map(|()| None),
            _ => return Ok(None),
        };
        match self.board.press(*key) {
            Some(Wish::Quit) => return Ok(Some(Outcome::Ok.into())),
            Some(Wish::Interrupt) => return Ok(Some(by_signal(SIGINT))),
            Some(Wish::Suspend) => self.suspend()?,
            Some(Wish::Kin) => self.show_kin(),
            Some(Wish::Redraw) | None => {}
        }
        Ok(None)
    }

    /// Shows the processes around the holder, or hides them.
    fn show_kin(&mut self) {
        self.board.kin = match (self.board.kin.take(), self.board.holder()) {
            (Some(_), _) => None,
            (None, Some(pid)) => Some(kin(pid)),
            (None, None) => {
                self.board.message = Some("nobody has it who could be shown".to_owned());
                None
            }
        };
    }

    /// Shows the processes as they are now: whoever held it may be gone, and another one be there.
    fn renew_kin(&mut self) {
        if self.board.kin.is_some() {
            self.board.kin = self.board.holder().map(kin);
        }
    }

    /// Stops as Ctrl-Z does, with the terminal as it was; returns when somebody continues us.
    fn suspend(&mut self) -> io::Result<()> {
        give_back();
        signals::stop_self();
        // It is what woke us.
        self.signals.try_take(SIGCONT);
        self.take_over()
    }

    /// Takes the terminal over, also where somebody else had it meanwhile.
    fn take_over(&mut self) -> io::Result<()> {
        // Forgets what it was like before, which the shell may have changed.
        disable_raw_mode()?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        self.begin_anew()
    }

    /// Draws on an empty window of the size that it has now.
    fn begin_anew(&mut self) -> io::Result<()> {
        execute!(io::stdout(), Clear(ClearType::All))?;
        let backend = CrosstermBackend::new(io::stdout());
        self.terminal = Terminal::with_options(backend, whole_window())?;
        Ok(())
    }
}

/// Of a part of fixed size the library does not follow the window by itself: for that it would ask
/// the terminal where its cursor is, and not every terminal answers.
fn whole_window() -> TerminalOptions {
    let (columns, rows) = size().unwrap_or((80, 24));
    let window = Rect::new(0, 0, columns.max(1), rows.max(1));
    TerminalOptions { viewport: Viewport::Fixed(window) }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Leaves the terminal as it was. If that fails there is nobody to tell.
fn give_back() {
    drop(disable_raw_mode());
    drop(execute!(io::stdout(), LeaveAlternateScreen, Show));
}

fn by_signal(signal: i32) -> End {
    let code = Outcome::Signaled(u8::try_from(signal).unwrap_or(u8::MAX)).code();
    End { code, signal: Some(signal) }
}

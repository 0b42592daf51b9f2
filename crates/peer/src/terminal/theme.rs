//! Styles: the terminal's own 16 colours and no background, so that they fit its theme, light or dark; none at all when
//! colours are not wanted. What matters is never told by colour alone.

use ratatui::style::{Color, Modifier, Style};
use wire::PeerId;

use super::log::Tone;

/// Colours for names: those that are legible on light and on dark.
const NAMES: [Color; 3] = [Color::Cyan, Color::Magenta, Color::Blue];

/// How things look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    /// Whether colours are wanted.
    pub(crate) colours: bool,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    /// Beside the point.
    pub(crate) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// A title.
    pub(crate) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Chosen.
    pub(crate) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A count of what is new.
    pub(crate) fn unread(self) -> Style {
        self.colour(Color::Green).add_modifier(Modifier::BOLD)
    }

    /// The own name.
    pub(crate) fn me(self) -> Style {
        self.colour(Color::Green).add_modifier(Modifier::BOLD)
    }

    /// Another's name: always the same colour.
    pub(crate) fn name(self, id: &PeerId) -> Style {
        let sum =
            id.folded().bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31) ^ usize::from(byte));
        let colour = NAMES.get(sum % NAMES.len()).copied().unwrap_or(Color::Reset);
        self.colour(colour).add_modifier(Modifier::BOLD)
    }

    /// Someone is there.
    pub(crate) fn online(self) -> Style {
        self.colour(Color::Green)
    }

    /// Something of the program's own.
    pub(crate) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Warning => self.colour(Color::Magenta),
            Tone::Wrong => self.colour(Color::Red),
        }
    }
}

//! The one scan of a baseline file with Huffman tables of its own: strips wait as tokens until their symbols have been
//! counted. Of an image that is too rich for that, the tables are made from as many strips as may wait, and the others
//! are coded as they come.

use super::{
    entropy::Counts,
    huffman::{self, Codes},
    kernels::Kernels,
    markers,
    tables::{HuffSpec, standard_huffman},
    tokens::{Counter, Order, Strip, Writer},
};
use crate::{
    error::{Error, Result},
    pack::control::Control,
    sink::Sink,
};

/// Takes the strips of an image in their order, and writes the file from its first DHT segment on.
pub struct Sequential<'a> {
    kernels: &'static Kernels,
    control: &'a Control,
    order: Order,
    /// Everything before the Huffman tables.
    head: Vec<u8>,
    /// Start-of-scan parameters of the components.
    components: &'a [(u8, u8, u8)],
    state: State,
    /// The most bytes that may wait.
    limit: usize,
}

enum State {
    Waiting { strips: Vec<Strip>, bytes: usize, counter: Box<Counter> },
    Writing(Box<Writer>),
}

impl<'a> Sequential<'a> {
    pub fn new(
        kernels: &'static Kernels,
        control: &'a Control,
        order: Order,
        head: Vec<u8>,
        components: &'a [(u8, u8, u8)],
        limit: usize,
    ) -> Sequential<'a> {
        let counter = Box::new(Counter::new(order));
        let state = State::Waiting { strips: Vec::new(), bytes: 0, counter };
        Sequential { kernels, control, order, head, components, state, limit }
    }

    /// Takes a strip; `last` when it is.
    pub fn push(&mut self, strip: Strip, last: bool, sink: &mut dyn Sink) -> Result<()> {
        match &mut self.state {
            State::Waiting { strips, bytes, counter } => {
                strips.try_reserve(1).map_err(|_| Error::out_of_memory(*bytes, "JPEG coefficients"))?;
                counter.add(&strip);
                *bytes += strip.bytes();
                strips.push(strip);
                if *bytes > self.limit && !last {
                    // What comes may need any symbol.
                    counter.counts.iter_mut().for_each(Counts::complete);
                    self.settle(sink)?;
                }
            }
            State::Writing(writer) => write(self.kernels, writer, &strip, sink)?,
        }
        if last {
            if matches!(self.state, State::Waiting { .. }) {
                self.settle(sink)?;
            }
            if let State::Writing(writer) = &mut self.state {
                writer.finish()?;
                sink.write(&writer.out)?;
            }
        }
        Ok(())
    }

    /// Makes the tables, and writes what has waited for them.
    fn settle(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let State::Waiting { strips, counter, .. } = &mut self.state else { return Ok(()) };
        let classes = if self.components.len() > 1 { 2 } else { 1 };
        let mut specs = standard_huffman();
        for ((number, spec), counts) in (0u8..).zip(&mut specs).zip(&counter.counts).take(classes) {
            *spec = [huffman::optimal(&counts.dc), huffman::optimal(&counts.ac)];
            let [dc, ac]: &[HuffSpec; 2] = spec;
            markers::write_huffman(&mut self.head, 0, number, dc);
            markers::write_huffman(&mut self.head, 1, number, ac);
        }
        markers::write_scan(&mut self.head, self.components, (0, 63), (0, 0));
        sink.write(&self.head)?;
        let codes = specs.each_ref().map(|[dc, ac]| Codes::new(dc, ac));
        let mut writer = Box::new(Writer::new(self.order, codes));
        for strip in std::mem::take(strips) {
            self.control.checkpoint(0, 1)?;
            write(self.kernels, &mut writer, &strip, sink)?;
        }
        self.state = State::Writing(writer);
        Ok(())
    }
}

fn write(kernels: &Kernels, writer: &mut Writer, strip: &Strip, sink: &mut dyn Sink) -> Result<()> {
    (0..strip.rows()).try_for_each(|row| {
        kernels.write_tokens(writer, strip, row)?;
        sink.write(&writer.out)?;
        writer.out.clear();
        Ok(())
    })
}

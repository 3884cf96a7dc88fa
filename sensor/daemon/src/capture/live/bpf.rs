//! A small assembler for classic BPF (Documentation/networking/filter.rst of Linux): labels in place of counted jumps.
//!
//! Must not know what a program is for.

use super::socket::Instruction;

/// A place in a program that jumps lead to; jumps go forward only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// How much a load takes.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// Four bytes.
    Word = 0x00,
    /// Two.
    Half = 0x08,
    /// One.
    Byte = 0x10,
}

/// What is done to the accumulator.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Sum.
    Add = 0x00,
    /// Difference.
    Sub = 0x10,
    /// Product.
    Mul = 0x20,
    /// Bits that both have.
    And = 0x50,
    /// Shifted left.
    Lsh = 0x60,
    /// Shifted right.
    Rsh = 0x70,
    /// Bits that one has.
    Xor = 0xa0,
}

/// Facts about a frame that stand beside its bytes (`SKF_AD_*` of linux/filter.h).
#[derive(Clone, Copy, Debug)]
pub enum Fact {
    /// The EtherType, in host order, of what the network header is.
    Protocol = 0,
    /// Where the frame goes; 4 is out of this machine.
    Direction = 4,
    /// ARPHRD of the interface.
    Hardware = 28,
}

const SKF_AD_OFF: u32 = 0u32.wrapping_sub(0x1000);

/// A program in the making: accumulator `A`, index `X`, 16 memory cells.
#[derive(Debug, Default)]
pub struct Assembler {
    code: Vec<Instruction>,
    places: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    fn put(&mut self, code: u32, k: u32) -> &mut Self {
        self.branch(code, k, 0, 0)
    }

    fn branch(&mut self, code: u32, k: u32, jt: u8, jf: u8) -> &mut Self {
        self.code.push(Instruction { code: code as u16, jt, jf, k });
        self
    }

    /// A label that is placed later.
    pub fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// The next instruction is where `label` leads to.
    pub fn place(&mut self, label: Label) -> &mut Self {
        let here = self.code.len();
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(here);
        }
        self
    }

    /// `A` = what is at offset `X + k`; ends the program with 0 when that is beyond the frame.
    pub fn load(&mut self, size: Size, k: u32) -> &mut Self {
        self.put(0x40 | size as u32, k)
    }

    /// `A` = a fact about the frame.
    pub fn fact(&mut self, fact: Fact) -> &mut Self {
        self.put(0x20, SKF_AD_OFF.wrapping_add(fact as u32))
    }

    /// `A` = a memory cell.
    pub fn get(&mut self, cell: u32) -> &mut Self {
        self.put(0x60, cell)
    }

    /// A memory cell = `A`.
    pub fn set(&mut self, cell: u32) -> &mut Self {
        self.put(0x02, cell)
    }

    /// `X` = a memory cell.
    pub fn get_x(&mut self, cell: u32) -> &mut Self {
        self.put(0x61, cell)
    }

    /// A memory cell = `X`.
    pub fn set_x(&mut self, cell: u32) -> &mut Self {
        self.put(0x03, cell)
    }

    /// `X` = a number.
    pub fn x(&mut self, k: u32) -> &mut Self {
        self.put(0x01, k)
    }

    /// `X` = `A`.
    pub fn a_to_x(&mut self) -> &mut Self {
        self.put(0x07, 0)
    }

    /// `A` = `A` op a number.
    pub fn op(&mut self, op: Op, k: u32) -> &mut Self {
        self.put(0x04 | op as u32, k)
    }

    /// `A` = `A` op `X`.
    pub fn op_x(&mut self, op: Op) -> &mut Self {
        self.put(0x0c | op as u32, 0)
    }

    /// `X` moves on by a number; `A` is lost.
    pub fn advance(&mut self, k: u32) -> &mut Self {
        self.put(0x87, 0).op(Op::Add, k).a_to_x()
    }

    /// `X` moves on by `A`.
    pub fn advance_a(&mut self) -> &mut Self {
        self.op_x(Op::Add).a_to_x()
    }

    /// Goes on at `label`.
    pub fn jump(&mut self, label: Label) -> &mut Self {
        self.jumps.push((self.code.len(), label));
        self.put(0x05, 0)
    }

    /// Goes on at `label` when `A` is `k`.
    pub fn if_eq(&mut self, k: u32, label: Label) -> &mut Self {
        self.branch(0x15, k, 0, 1).jump(label)
    }

    /// Goes on at `label` when `A` is one of `ks`.
    pub fn if_one_of(&mut self, ks: &[u32], label: Label) -> &mut Self {
        for k in ks {
            self.if_eq(*k, label);
        }
        self
    }

    /// Goes on at `label` when `A` has one of the bits `k`.
    pub fn if_any(&mut self, k: u32, label: Label) -> &mut Self {
        self.branch(0x45, k, 0, 1).jump(label)
    }

    /// Goes on at `label` unless `A` is `k`.
    pub fn unless_eq(&mut self, k: u32, label: Label) -> &mut Self {
        self.branch(0x15, k, 1, 0).jump(label)
    }

    /// Goes on at `label` when `A` has none of the bits `k`.
    pub fn unless_any(&mut self, k: u32, label: Label) -> &mut Self {
        self.branch(0x45, k, 1, 0).jump(label)
    }

    /// Ends with a number.
    pub fn give(&mut self, k: u32) -> &mut Self {
        self.put(0x06, k)
    }

    /// Ends with `A`.
    pub fn give_a(&mut self) -> &mut Self {
        self.put(0x16, 0)
    }

    /// The program. A jump whose label was not placed behind it goes on with the next instruction: tests hold that there is none.
    pub fn finish(mut self) -> Vec<Instruction> {
        for (at, label) in &self.jumps {
            let to = self.places.get(label.0).copied().flatten();
            debug_assert!(to.is_some_and(|to| to > *at), "a jump backwards or to nowhere");
            if let (Some(jump), Some(distance)) = (self.code.get_mut(*at), to.and_then(|to| to.checked_sub(at + 1))) {
                jump.k = u32::try_from(distance).unwrap_or(0);
            }
        }
        self.code
    }
}

//! Tensors as the evaluator holds them, and arithmetic with numpy's broadcasting.

use super::proto::{Data, MAX_NUMBERS, OnnxError, Tensor, bad};

/// Numbers, truths or texts with a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// The contents.
    pub data: Data,
}

type Result<T> = std::result::Result<T, OnnxError>;

impl Value {
    /// From floats.
    pub fn floats(shape: Vec<usize>, data: Vec<f32>) -> Value {
        Value { shape, data: Data::Floats(data) }
    }
    /// From a constant.
    pub fn of(t: &Tensor) -> Result<Value> {
        let shape = t.shape.iter().map(|d| usize::try_from(*d)).collect::<std::result::Result<Vec<_>, _>>();
        let Ok(shape) = shape else { return bad("a constant has a negative size") };
        Ok(Value { shape, data: t.data.clone() })
    }
    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::Floats(x) => x.len(),
            Data::Ints(x) => x.len(),
            Data::Texts(x) => x.len(),
            Data::Bools(x) => x.len(),
        }
    }
    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// As floats.
    pub fn as_floats(&self) -> Result<&[f32]> {
        match &self.data {
            Data::Floats(x) => Ok(x),
            _ => bad("floats are needed where something else comes in (dtype_mismatch)"),
        }
    }
    /// As integers.
    pub fn as_ints(&self) -> Result<&[i64]> {
        match &self.data {
            Data::Ints(x) => Ok(x),
            _ => bad("integers are needed where something else comes in (dtype_mismatch)"),
        }
    }
    /// Rows and columns of a table; a list is one row or one column by `row`.
    pub fn rows(&self) -> Result<(usize, usize)> {
        match self.shape[..] {
            [n, d] => Ok((n, d)),
            [d] => Ok((1, d)),
            _ => bad(format!(
                "a table is needed where a tensor of {} dimensions comes in (shape_mismatch)",
                self.shape.len()
            )),
        }
    }
    /// A place along an axis counted from the end where negative.
    pub fn axis(&self, axis: i64) -> Result<usize> {
        let n = self.shape.len() as i64;
        let at = if axis < 0 { axis + n } else { axis };
        if (0..n.max(1)).contains(&at) { Ok(at as usize) } else { bad(format!("there is no axis {axis}")) }
    }
    /// Sizes before, at and after an axis.
    pub fn split(&self, axis: usize) -> (usize, usize, usize) {
        let part = |r: &[usize]| r.iter().product::<usize>();
        (
            part(self.shape.get(..axis).unwrap_or_default()),
            self.shape.get(axis).copied().unwrap_or(1),
            part(self.shape.get(axis + 1..).unwrap_or_default()),
        )
    }
}

/// The product of sizes, refused beyond what is held in memory.
pub fn size(shape: &[usize]) -> Result<usize> {
    let n = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d).filter(|n| *n <= MAX_NUMBERS));
    n.map_or_else(|| bad(format!("a tensor of {shape:?} is larger than {MAX_NUMBERS} numbers")), Ok)
}

/// The shape both are broadcast to.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let n = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() < n { 1 } else { s[i + s.len() - n] };
    let mut out = Vec::with_capacity(n);
    for i in 0..n {
        out.push(match (at(a, i), at(b, i)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            (x, y) => {
                return bad(format!("shapes {a:?} and {b:?} do not go together: {x} against {y} (shape_mismatch)"));
            }
        });
    }
    size(&out)?;
    Ok(out)
}

/// For every element of `to`, the place in a tensor of shape `from`.
pub fn places(from: &[usize], to: &[usize]) -> Vec<u32> {
    let n = to.iter().product();
    let mut strides = vec![0usize; to.len()];
    let mut stride = 1;
    for (i, d) in from.iter().enumerate().rev() {
        let at = i + to.len() - from.len();
        strides[at] = if *d == 1 { 0 } else { stride };
        stride *= d;
    }
    let mut out = Vec::with_capacity(n);
    let mut index = vec![0usize; to.len()];
    let mut place = 0usize;
    for _ in 0..n {
        out.push(place as u32);
        for axis in (0..to.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < to[axis] {
                break;
            }
            place -= strides[axis] * to[axis];
            index[axis] = 0;
        }
    }
    out
}

/// Element by element with broadcasting.
pub fn zip<A: Copy, B: Copy, C>(
    (a, sa): (&[A], &[usize]),
    (b, sb): (&[B], &[usize]),
    f: impl Fn(A, B) -> C,
) -> Result<(Vec<usize>, Vec<C>)> {
    if sa == sb {
        return Ok((sa.to_vec(), a.iter().zip(b).map(|(x, y)| f(*x, *y)).collect()));
    }
    let shape = broadcast(sa, sb)?;
    let (pa, pb) = (places(sa, &shape), places(sb, &shape));
    let data = pa.iter().zip(&pb).map(|(x, y)| f(a[*x as usize], b[*y as usize])).collect();
    Ok((shape, data))
}

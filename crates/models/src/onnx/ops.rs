//! Operators of the standard domain, in 32-bit floats.

use super::proto::{Attribute, Data, Node, OnnxError, bad};
use super::tensor::{Value, places, size, zip};

type Result<T> = std::result::Result<T, OnnxError>;

/// Runs one node; `input` gives what comes in at a place.
pub fn run<'a>(node: &Node, input: &dyn Fn(usize) -> Option<&'a Value>) -> Result<Vec<Value>> {
    let need = |at: usize| -> Result<&'a Value> {
        input(at).map_or_else(|| bad(format!("{} lacks its input {}", node.op, at + 1)), Ok)
    };
    let each = |f: &dyn Fn(f32) -> f32| -> Result<Vec<Value>> {
        let x = need(0)?;
        Ok(vec![Value::floats(x.shape.clone(), x.as_floats()?.iter().map(|x| f(*x)).collect())])
    };
    let alpha = |default: f32| node.float("alpha").unwrap_or(default);
    match node.op.as_str() {
        "Constant" => Ok(vec![super::run::constant(node)?]),
        "Identity" | "Dropout" => Ok(vec![need(0)?.clone()]),
        "Abs" => each(&f32::abs),
        "Ceil" => each(&f32::ceil),
        "Floor" => each(&f32::floor),
        "Exp" => each(&f32::exp),
        "Log" => each(&f32::ln),
        "Neg" => each(&|x| -x),
        "Reciprocal" => each(&f32::recip),
        "Sqrt" => each(&f32::sqrt),
        "Tanh" => each(&f32::tanh),
        "Erf" => each(&erf),
        "Relu" => each(&|x| if x < 0.0 { 0.0 } else { x }),
        "Sigmoid" => each(&|x| 1.0 / (1.0 + (-x).exp())),
        "Softplus" => each(&|x| x.exp().ln_1p()),
        "Sign" => each(&|x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        }),
        "LeakyRelu" => each(&|x| if x < 0.0 { alpha(0.01) * x } else { x }),
        "Elu" => each(&|x| if x < 0.0 { alpha(1.0) * x.exp_m1() } else { x }),
        "Selu" => {
            let (a, g) = (alpha(1.673_263_2), node.float("gamma").unwrap_or(1.050_701));
            each(&|x| if x <= 0.0 { g * a * x.exp_m1() } else { g * x })
        }
        "HardSigmoid" => {
            let (a, b) = (alpha(0.2), node.float("beta").unwrap_or(0.5));
            each(&|x| (a * x + b).clamp(0.0, 1.0))
        }
        "Gelu" if node.text("approximate") == "tanh" => {
            each(&|x| 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh()))
        }
        "Gelu" => each(&|x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))),
        "IsNaN" => test(need(0)?, &|x| x.is_nan()),
        "IsInf" => test(need(0)?, &|x| x.is_infinite()),
        "Not" => {
            let x = need(0)?;
            Ok(vec![Value { shape: x.shape.clone(), data: Data::Bools(bools(x)?.iter().map(|b| !b).collect()) }])
        }
        "Add" => arithmetic(node, need(0)?, need(1)?, &|a, b| a + b, Some(&i64::checked_add)),
        "Sub" => arithmetic(node, need(0)?, need(1)?, &|a, b| a - b, Some(&i64::checked_sub)),
        "Mul" => arithmetic(node, need(0)?, need(1)?, &|a, b| a * b, Some(&i64::checked_mul)),
        "Div" => arithmetic(node, need(0)?, need(1)?, &|a, b| a / b, Some(&i64::checked_div)),
        "Pow" => arithmetic(node, need(0)?, need(1)?, &f32::powf, None),
        "PRelu" => arithmetic(node, need(0)?, need(1)?, &|x, a| if x < 0.0 { a * x } else { x }, None),
        "Sum" | "Max" | "Min" => {
            let f: &dyn Fn(f32, f32) -> f32 = match node.op.as_str() {
                "Sum" => &|a, b| a + b,
                "Max" => &f32::max,
                _ => &f32::min,
            };
            let mut all = need(0)?.clone();
            for at in 1..node.inputs.len() {
                all = arithmetic(node, &all, need(at)?, f, None)?.remove(0);
            }
            Ok(vec![all])
        }
        "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual" => compare(node, need(0)?, need(1)?),
        "And" | "Or" => {
            let (a, b) = (need(0)?, need(1)?);
            let and = node.op == "And";
            let f = |x: bool, y: bool| if and { x && y } else { x || y };
            let (shape, data) = zip((bools(a)?, &a.shape), (bools(b)?, &b.shape), f)?;
            Ok(vec![Value { shape, data: Data::Bools(data) }])
        }
        "Where" => choose(need(0)?, need(1)?, need(2)?),
        "Clip" => {
            let edge = |at: usize, name: &str, default: f32| -> Result<f32> {
                Ok(match input(at) {
                    Some(v) => v.as_floats()?.first().copied().unwrap_or(default),
                    None => node.float(name).unwrap_or(default),
                })
            };
            let (low, high) = (edge(1, "min", f32::MIN)?, edge(2, "max", f32::MAX)?);
            each(&|x| {
                if x < low {
                    low
                } else if x > high {
                    high
                } else {
                    x
                }
            })
        }
        "Cast" => cast(node, need(0)?),
        "MatMul" => Ok(vec![matmul(need(0)?, need(1)?, false, false)?]),
        "Gemm" => gemm(node, need(0)?, need(1)?, input(2)),
        "BatchNormalization" => normalise(node, need(0)?, [need(1)?, need(2)?, need(3)?, need(4)?]),
        "Softmax" | "LogSoftmax" => softmax(node, need(0)?),
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceSumSquare" => reduce(node, need(0)?, input(1)),
        "ArgMax" => arg_max(node, need(0)?),
        "Concat" => {
            let all: Result<Vec<&Value>> = (0..node.inputs.len()).map(need).collect();
            concat(&all?, node.int("axis").unwrap_or(0))
        }
        "Gather" => gather(need(0)?, need(1)?, node.int("axis").unwrap_or(0)),
        "Shape" => {
            let x = need(0)?;
            let data = Data::Ints(x.shape.iter().map(|d| *d as i64).collect());
            Ok(vec![Value { shape: vec![x.shape.len()], data }])
        }
        "Slice" => slice(node, need(0)?, input),
        "Transpose" => transpose(node, need(0)?),
        "Flatten" => {
            let x = need(0)?;
            let at = match node.int("axis").unwrap_or(1) {
                0 => 0,
                a if a == x.shape.len() as i64 => x.shape.len(),
                a => x.axis(a)?,
            };
            let n: usize = x.shape.get(..at).unwrap_or_default().iter().product();
            Ok(vec![Value { shape: vec![n, x.len() / n.max(1)], data: x.data.clone() }])
        }
        "Reshape" => reshape(node, need(0)?, need(1)?),
        "Squeeze" | "Unsqueeze" => squeeze(node, need(0)?, input(1)),
        other => bad(format!("the operator {other} is not run")),
    }
}

/// W. J. Cody's rational form would be exact to the last bit; this one (Abramowitz and Stegun 7.1.26 in doubles) is within 1.5e-7.
fn erf(x: f32) -> f32 {
    let x = f64::from(x);
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let poly =
        ((((1.061_405_429 * t - 1.453_152_027) * t + 1.421_413_741) * t - 0.284_496_736) * t + 0.254_829_592) * t;
    let y = 1.0 - poly * (-x * x).exp();
    (if x < 0.0 { -y } else { y }) as f32
}

fn bools(v: &Value) -> Result<&[bool]> {
    match &v.data {
        Data::Bools(b) => Ok(b),
        _ => bad("truths are needed where something else comes in (dtype_mismatch)"),
    }
}

fn test(x: &Value, f: &dyn Fn(f32) -> bool) -> Result<Vec<Value>> {
    let data = Data::Bools(x.as_floats()?.iter().map(|x| f(*x)).collect());
    Ok(vec![Value { shape: x.shape.clone(), data }])
}

fn arithmetic(
    node: &Node,
    a: &Value,
    b: &Value,
    f: &dyn Fn(f32, f32) -> f32,
    ints: Option<&dyn Fn(i64, i64) -> Option<i64>>,
) -> Result<Vec<Value>> {
    match (&a.data, &b.data, ints) {
        (Data::Floats(x), Data::Floats(y), _) => {
            let (shape, data) = zip((x, &a.shape), (y, &b.shape), f)?;
            Ok(vec![Value::floats(shape, data)])
        }
        (Data::Ints(x), Data::Ints(y), Some(f)) => {
            let (shape, data) = zip((x, &a.shape), (y, &b.shape), f)?;
            let data: Option<Vec<i64>> = data.into_iter().collect();
            match data {
                Some(data) => Ok(vec![Value { shape, data: Data::Ints(data) }]),
                None => bad(format!("{} goes beyond 64 bits", node.op)),
            }
        }
        _ => bad(format!("{} of two different types (dtype_mismatch)", node.op)),
    }
}

fn compare(node: &Node, a: &Value, b: &Value) -> Result<Vec<Value>> {
    use std::cmp::Ordering;
    let holds = |o: Option<Ordering>| match node.op.as_str() {
        "Equal" => o == Some(Ordering::Equal),
        "Less" => o == Some(Ordering::Less),
        "Greater" => o == Some(Ordering::Greater),
        "LessOrEqual" => matches!(o, Some(Ordering::Less | Ordering::Equal)),
        _ => matches!(o, Some(Ordering::Greater | Ordering::Equal)),
    };
    let (shape, data) = match (&a.data, &b.data) {
        (Data::Floats(x), Data::Floats(y)) => zip((x, &a.shape), (y, &b.shape), |x, y| holds(x.partial_cmp(&y)))?,
        (Data::Ints(x), Data::Ints(y)) => zip((x, &a.shape), (y, &b.shape), |x, y| holds(Some(x.cmp(&y))))?,
        (Data::Bools(x), Data::Bools(y)) => zip((x, &a.shape), (y, &b.shape), |x, y| holds(Some(x.cmp(&y))))?,
        _ => return bad(format!("{} of two different types (dtype_mismatch)", node.op)),
    };
    Ok(vec![Value { shape, data: Data::Bools(data) }])
}

fn choose(c: &Value, a: &Value, b: &Value) -> Result<Vec<Value>> {
    let shape = super::tensor::broadcast(&super::tensor::broadcast(&c.shape, &a.shape)?, &b.shape)?;
    let (pc, pa, pb) = (places(&c.shape, &shape), places(&a.shape, &shape), places(&b.shape, &shape));
    let c = bools(c)?;
    let pick = pc.iter().zip(pa.iter().zip(&pb)).map(|(c_at, ab)| (c[*c_at as usize], ab));
    let data = match (&a.data, &b.data) {
        (Data::Floats(a), Data::Floats(b)) => {
            Data::Floats(pick.map(|(c, (x, y))| if c { a[*x as usize] } else { b[*y as usize] }).collect())
        }
        (Data::Ints(a), Data::Ints(b)) => {
            Data::Ints(pick.map(|(c, (x, y))| if c { a[*x as usize] } else { b[*y as usize] }).collect())
        }
        _ => return bad("Where chooses between two different types (dtype_mismatch)"),
    };
    Ok(vec![Value { shape, data }])
}

fn cast(node: &Node, x: &Value) -> Result<Vec<Value>> {
    let to = node.int("to").unwrap_or(1);
    let data = match (&x.data, to) {
        (Data::Floats(v), 1 | 11) => Data::Floats(v.clone()),
        (Data::Ints(v), 1 | 11) => Data::Floats(v.iter().map(|n| *n as f32).collect()),
        (Data::Bools(v), 1 | 11) => Data::Floats(v.iter().map(|b| f32::from(u8::from(*b))).collect()),
        (Data::Floats(v), 6 | 7) => Data::Ints(v.iter().map(|x| *x as i64).collect()),
        (Data::Ints(v), 6 | 7) => Data::Ints(v.clone()),
        (Data::Bools(v), 6 | 7) => Data::Ints(v.iter().map(|b| i64::from(*b)).collect()),
        (Data::Floats(v), 9) => Data::Bools(v.iter().map(|x| *x != 0.0).collect()),
        (Data::Ints(v), 9) => Data::Bools(v.iter().map(|x| *x != 0).collect()),
        (Data::Bools(v), 9) => Data::Bools(v.clone()),
        (Data::Texts(v), 8) => Data::Texts(v.clone()),
        (Data::Ints(v), 8) => Data::Texts(v.iter().map(|n| n.to_string()).collect()),
        (_, other) => return bad(format!("a cast to element type {other} is not run")),
    };
    Ok(vec![Value { shape: x.shape.clone(), data }])
}

fn matmul(a: &Value, b: &Value, ta: bool, tb: bool) -> Result<Value> {
    let ([.., ra, ca], [rb, cb]) = (&a.shape[..], &b.shape[..]) else {
        return bad(format!("a product of {:?} and {:?} is not run (shape_mismatch)", a.shape, b.shape));
    };
    if ta && a.shape.len() != 2 {
        return bad("a transposed product of more than two dimensions is not run");
    }
    let (x, w) = (a.as_floats()?, b.as_floats()?);
    let (n, k) = if ta { (*ca, *ra) } else { (x.len() / (*ca).max(1), *ca) };
    let (k2, m) = if tb { (*cb, *rb) } else { (*rb, *cb) };
    if k != k2 {
        return bad(format!("a product of {:?} and {:?}: {k} against {k2} (shape_mismatch)", a.shape, b.shape));
    }
    let mut shape = if ta { vec![n, m] } else { a.shape.clone() };
    if let Some(last) = shape.last_mut() {
        *last = m;
    }
    let mut out = vec![0f32; size(&shape)?];
    for i in 0..n {
        let row = &mut out[i * m..(i + 1) * m];
        for j in 0..k {
            let v = if ta { x[j * n + i] } else { x[i * k + j] };
            if v == 0.0 {
                continue;
            }
            if tb {
                row.iter_mut().enumerate().for_each(|(o, r)| *r += v * w[o * k + j]);
            } else {
                row.iter_mut().zip(&w[j * m..(j + 1) * m]).for_each(|(r, w)| *r += v * w);
            }
        }
    }
    Ok(Value::floats(shape, out))
}

fn gemm(node: &Node, a: &Value, b: &Value, c: Option<&Value>) -> Result<Vec<Value>> {
    let flag = |n: &str| node.int(n).unwrap_or(0) != 0;
    let mut y = matmul(a, b, flag("transA"), flag("transB"))?;
    let (alpha, beta) = (node.float("alpha").unwrap_or(1.0), node.float("beta").unwrap_or(1.0));
    if alpha != 1.0
        && let Data::Floats(y) = &mut y.data
    {
        y.iter_mut().for_each(|y| *y *= alpha);
    }
    match c {
        Some(c) => arithmetic(node, &y, c, &|y, c| y + beta * c, None),
        None => Ok(vec![y]),
    }
}

fn normalise(node: &Node, x: &Value, [scale, bias, mean, var]: [&Value; 4]) -> Result<Vec<Value>> {
    let c = x.shape.get(1).copied().unwrap_or(0);
    let per = x.shape.get(2..).unwrap_or_default().iter().product::<usize>().max(1);
    let eps = node.float("epsilon").unwrap_or(1e-5);
    let (s, b, m, v) = (scale.as_floats()?, bias.as_floats()?, mean.as_floats()?, var.as_floats()?);
    if [s.len(), b.len(), m.len(), v.len()].iter().any(|n| *n != c) || c == 0 {
        return bad("BatchNormalization of another width (shape_mismatch)");
    }
    let f = |(i, x): (usize, &f32)| {
        let at = i / per % c;
        (x - m[at]) / (v[at] + eps).sqrt() * s[at] + b[at]
    };
    Ok(vec![Value::floats(x.shape.clone(), x.as_floats()?.iter().enumerate().map(f).collect())])
}

fn softmax(node: &Node, x: &Value) -> Result<Vec<Value>> {
    let axis = x.axis(node.int("axis").unwrap_or(-1))?;
    let (outer, n, inner) = x.split(axis);
    let mut out = x.as_floats()?.to_vec();
    for o in 0..outer {
        for i in 0..inner {
            let at = |k: usize| (o * n + k) * inner + i;
            let most = (0..n).map(|k| out[at(k)]).fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = (0..n).map(|k| (out[at(k)] - most).exp()).sum();
            for k in 0..n {
                let x = out[at(k)] - most;
                out[at(k)] = if node.op == "Softmax" { x.exp() / sum } else { x - sum.ln() };
            }
        }
    }
    Ok(vec![Value::floats(x.shape.clone(), out)])
}

fn reduce(node: &Node, x: &Value, axes: Option<&Value>) -> Result<Vec<Value>> {
    let axes: Vec<i64> = match axes {
        Some(v) => v.as_ints()?.to_vec(),
        None => node.ints("axes").to_vec(),
    };
    let mut over: Vec<bool> = vec![axes.is_empty(); x.shape.len()];
    for a in axes {
        over[x.axis(a)?] = true;
    }
    let kept: Vec<usize> = x.shape.iter().zip(&over).map(|(d, o)| if *o { 1 } else { *d }).collect();
    let place = places(&kept, &x.shape);
    let start = match node.op.as_str() {
        "ReduceMax" => f32::NEG_INFINITY,
        "ReduceMin" => f32::INFINITY,
        _ => 0.0,
    };
    let n = size(&kept)?;
    let mut out = vec![start; n];
    for (x, at) in x.as_floats()?.iter().zip(place) {
        let o = &mut out[at as usize];
        *o = match node.op.as_str() {
            "ReduceMax" => o.max(*x),
            "ReduceMin" => o.min(*x),
            "ReduceSumSquare" => *o + x * x,
            _ => *o + x,
        };
    }
    if node.op == "ReduceMean" {
        let count = x.len() as f32 / n.max(1) as f32;
        out.iter_mut().for_each(|o| *o /= count);
    }
    let keep = node.int("keepdims").unwrap_or(1) != 0;
    let shape = if keep { kept } else { x.shape.iter().zip(&over).filter(|(_, o)| !**o).map(|(d, _)| *d).collect() };
    Ok(vec![Value::floats(shape, out)])
}

fn arg_max(node: &Node, x: &Value) -> Result<Vec<Value>> {
    let axis = x.axis(node.int("axis").unwrap_or(0))?;
    let (outer, n, inner) = x.split(axis);
    let v = x.as_floats()?;
    let mut out = Vec::with_capacity(outer * inner);
    for o in 0..outer {
        for i in 0..inner {
            let mut best = 0;
            for k in 1..n {
                if v[(o * n + k) * inner + i] > v[(o * n + best) * inner + i] {
                    best = k;
                }
            }
            out.push(best as i64);
        }
    }
    let mut shape = x.shape.clone();
    if node.int("keepdims").unwrap_or(1) != 0 {
        shape[axis] = 1
    } else {
        let _ = shape.remove(axis);
    }
    Ok(vec![Value { shape, data: Data::Ints(out) }])
}

fn concat(all: &[&Value], axis: i64) -> Result<Vec<Value>> {
    let Some(first) = all.first() else { return bad("Concat of nothing") };
    let axis = first.axis(axis)?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for v in all {
        let same = v.shape.len() == first.shape.len()
            && v.shape.iter().zip(&first.shape).enumerate().all(|(i, (a, b))| i == axis || a == b);
        if !same {
            return bad(format!("Concat of {:?} and {:?} (shape_mismatch)", first.shape, v.shape));
        }
        shape[axis] += v.shape[axis];
    }
    size(&shape)?;
    let outer: usize = first.split(axis).0;
    macro_rules! join {
        ($variant:ident) => {{
            let mut out = Vec::new();
            for o in 0..outer {
                for v in all {
                    let Data::$variant(x) = &v.data else { return bad("Concat of different types (dtype_mismatch)") };
                    let n = x.len() / outer.max(1);
                    out.extend_from_slice(&x[o * n..(o + 1) * n]);
                }
            }
            Data::$variant(out)
        }};
    }
    let data = match &first.data {
        Data::Floats(_) => join!(Floats),
        Data::Ints(_) => join!(Ints),
        Data::Texts(_) => join!(Texts),
        Data::Bools(_) => join!(Bools),
    };
    Ok(vec![Value { shape, data }])
}

/// Takes the elements of a tensor at these places.
fn pick(x: &Value, shape: Vec<usize>, places: &[usize]) -> Result<Vec<Value>> {
    macro_rules! take {
        ($x:expr, $variant:ident) => {{
            let taken: Option<Vec<_>> = places.iter().map(|p| $x.get(*p).cloned()).collect();
            taken.map(Data::$variant)
        }};
    }
    let data = match &x.data {
        Data::Floats(v) => take!(v, Floats),
        Data::Ints(v) => take!(v, Ints),
        Data::Texts(v) => take!(v, Texts),
        Data::Bools(v) => take!(v, Bools),
    };
    data.map_or_else(|| bad("an element beyond the end"), |data| Ok(vec![Value { shape, data }]))
}

fn gather(x: &Value, indices: &Value, axis: i64) -> Result<Vec<Value>> {
    let axis = x.axis(axis)?;
    let (outer, n, inner) = x.split(axis);
    let at: Result<Vec<usize>> = indices
        .as_ints()?
        .iter()
        .map(|i| {
            let i = if *i < 0 { i + n as i64 } else { *i };
            usize::try_from(i).ok().filter(|i| *i < n).map_or_else(|| bad(format!("Gather of element {i} of {n}")), Ok)
        })
        .collect();
    let at = at?;
    let mut shape = x.shape.get(..axis).unwrap_or_default().to_vec();
    shape.extend(&indices.shape);
    shape.extend(x.shape.get(axis + 1..).unwrap_or_default());
    size(&shape)?;
    let mut from = Vec::with_capacity(outer * at.len() * inner);
    for o in 0..outer {
        for a in &at {
            from.extend((0..inner).map(|i| (o * n + a) * inner + i));
        }
    }
    pick(x, shape, &from)
}

fn slice<'a>(node: &Node, x: &Value, input: &dyn Fn(usize) -> Option<&'a Value>) -> Result<Vec<Value>> {
    let list = |at: usize, name: &str| -> Result<Vec<i64>> {
        input(at).map_or_else(|| Ok(node.ints(name).to_vec()), |v| Ok(v.as_ints()?.to_vec()))
    };
    let (starts, ends, axes, steps) = (list(1, "starts")?, list(2, "ends")?, list(3, "axes")?, list(4, "steps")?);
    if steps.iter().any(|s| *s != 1) || starts.len() != ends.len() {
        return bad("Slice with steps is not run");
    }
    let mut range: Vec<(usize, usize)> = x.shape.iter().map(|d| (0, *d)).collect();
    for (i, (start, end)) in starts.iter().zip(&ends).enumerate() {
        let axis = x.axis(axes.get(i).copied().unwrap_or(i as i64))?;
        let n = x.shape[axis] as i64;
        let clamp = |v: i64| (if v < 0 { v.saturating_add(n) } else { v }).clamp(0, n) as usize;
        range[axis] = (clamp(*start), clamp(*end).max(clamp(*start)));
    }
    let shape: Vec<usize> = range.iter().map(|(a, b)| b - a).collect();
    let mut from = vec![0usize; 1];
    for (axis, (a, b)) in range.iter().enumerate() {
        let stride: usize = x.shape.get(axis + 1..).unwrap_or_default().iter().product();
        from = from.iter().flat_map(|f| (*a..*b).map(move |i| f + i * stride)).collect();
    }
    pick(x, shape, &from)
}

fn transpose(node: &Node, x: &Value) -> Result<Vec<Value>> {
    let n = x.shape.len();
    let perm: Vec<usize> = match node.attribute("perm") {
        Some(Attribute::Ints(p)) => p.iter().filter_map(|p| usize::try_from(*p).ok()).collect(),
        _ => (0..n).rev().collect(),
    };
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    if sorted != (0..n).collect::<Vec<_>>() {
        return bad("Transpose by no permutation");
    }
    let shape: Vec<usize> = perm.iter().map(|p| x.shape[*p]).collect();
    let mut from = vec![0usize; 1];
    for p in &perm {
        let stride: usize = x.shape.get(p + 1..).unwrap_or_default().iter().product();
        from = from.iter().flat_map(|f| (0..x.shape[*p]).map(move |i| f + i * stride)).collect();
    }
    pick(x, shape, &from)
}

fn reshape(node: &Node, x: &Value, to: &Value) -> Result<Vec<Value>> {
    let keep_zero = node.int("allowzero").unwrap_or(0) != 0;
    let mut shape = Vec::new();
    let mut open = None;
    for (i, d) in to.as_ints()?.iter().enumerate() {
        shape.push(match *d {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 if !keep_zero => x.shape.get(i).copied().unwrap_or(0),
            d => usize::try_from(d).map_err(|_| OnnxError::Model("Reshape to a negative size".into()))?,
        });
    }
    if let Some(i) = open {
        let rest = size(&shape)?;
        shape[i] = x.len() / rest.max(1);
    }
    if size(&shape)? != x.len() {
        return bad(format!("Reshape of {:?} to {shape:?} (shape_mismatch)", x.shape));
    }
    Ok(vec![Value { shape, data: x.data.clone() }])
}

fn squeeze(node: &Node, x: &Value, axes: Option<&Value>) -> Result<Vec<Value>> {
    let axes: Vec<i64> = match axes {
        Some(v) => v.as_ints()?.to_vec(),
        None => node.ints("axes").to_vec(),
    };
    let mut shape = x.shape.clone();
    if node.op == "Unsqueeze" {
        let n = (shape.len() + axes.len()) as i64;
        let mut at: Vec<usize> = axes.iter().map(|a| if *a < 0 { a + n } else { *a }.clamp(0, n) as usize).collect();
        at.sort_unstable();
        for a in at {
            shape.insert(a.min(shape.len()), 1);
        }
    } else {
        let mut gone = vec![false; shape.len()];
        for a in &axes {
            gone[x.axis(*a)?] = true;
        }
        let drop = |i: usize, d: usize| d == 1 && (axes.is_empty() || gone[i]);
        shape = x.shape.iter().enumerate().filter(|(i, d)| !drop(*i, **d)).map(|(_, d)| *d).collect();
    }
    if size(&shape)? != x.len() {
        return bad("Squeeze of an axis that is not one (shape_mismatch)");
    }
    Ok(vec![Value { shape, data: x.data.clone() }])
}

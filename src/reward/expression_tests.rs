use super::*;
use crate::process::{Address, Purpose, uniforms};
use crate::reward::Reward;

fn value(text: &str, at: Point) -> f64 {
    Expression::parse(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .value_and_gradient(at)
        .0
}

#[test]
fn expressions_mean_what_mathematics_means_by_them() {
    let (x, y) = (0.7_f64, -1.3_f64);
    for (text, expected) in [
        ("-x^2", -x * x),
        ("2 - -x", 2.0 + x),
        ("x - 2 - 3", x - 5.0),
        ("x / 2 * 3", x / 2.0 * 3.0),
        ("x * 2 / 3 / 4", x / 6.0),
        ("1 - 2 + 3*x", -1.0 + 3.0 * x),
        ("2*-x^2*3", -6.0 * x * x),
        ("2^-x", 2.0_f64.powf(-x)),
        ("-2^2", -4.0),
        ("(-2)^2", 4.0),
        ("--x", x),
        ("-(-x)", x),
        ("+x", x),
        ("-x/-y", x / y),
        ("sin(x*2*3)", (6.0 * x).sin()),
        ("sin(x+2+3)*2", 2.0 * (x + 5.0).sin()),
        ("exp(-x^2/2) + 1", (-x * x / 2.0).exp() + 1.0),
        ("sin(x)^2 + cos(x)^2", 1.0),
        ("-sin(x)^2", -x.sin().powi(2)),
        ("-cos(2*pi)", -1.0),
        ("2^-sin(x)", 2.0_f64.powf(-x.sin())),
        ("max(x, min(y, 1))", x),
        ("min(max(x, y), max(0.1, 0.2))", 0.2),
        ("max(sin(x), y)*2 + 1", 2.0 * x.sin() + 1.0),
        ("-max(x, y)^2", -x * x),
        ("abs(y) + sqrt(4) + ln(e) + log(e)", -y + 4.0),
        ("atan2(y, x)", y.atan2(x)),
        ("1e-3*x + 2.5E2 + .5 + 3.", 1e-3 * x + 253.5),
        ("e^x", x.exp()),
        ("tanh(x)*tan(y)", x.tanh() * y.tan()),
        ("((((x))))", x),
        ("y", y),
        ("3", 3.0),
        (
            "asin(x)+acos(x)+atan(x)+sinh(x)+cosh(x)",
            std::f64::consts::FRAC_PI_2 + x.atan() + x.exp(),
        ),
    ] {
        let found = value(text, [x, y]);
        assert!(
            (found - expected).abs() < 1e-12,
            "{text}: {found} is not {expected}"
        );
    }
}

#[test]
fn derivatives_are_the_slopes() {
    let h = 1e-4;
    for text in [
        "x^2*y - y^3",
        "-(x^2 + y^2 - 4)^2/8",
        "sin(3*x)*cos(y) + tan(x/3)",
        "exp(-(x-1)^2 - y^2)",
        "ln(2 + x^2) + log(3 + y)",
        "sqrt(4 + x*y) - abs(x - 3)",
        "(2 + x)^(y + 1)",
        "x^-2 + 2^x",
        "tanh(x*y)/(1 + x^2)",
        "min(x, 3*y) + max(y^2, x)",
        "atan2(y, x) + asin(x/2) + acos(y/3) + atan(x) + sinh(y) + cosh(x)",
    ] {
        let expression = Expression::parse(text).unwrap();
        for at in [[0.7, -1.1], [-0.9, 0.4], [1.3, 1.9]] {
            let (_, gradient) = expression.value_and_gradient(at);
            for axis in 0..2 {
                let at = |by: f64| {
                    let mut moved = at;
                    moved[axis] += by;
                    expression.value_and_gradient(moved).0
                };
                // Fourth-order differences.
                let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                let apart = (gradient[axis] - slope).abs();
                assert!(apart < 1e-9 * (1.0 + slope.abs()), "{text}: {apart}");
            }
        }
    }
}

#[test]
fn a_mistake_is_told_with_its_place() {
    for (text, place, hint) in [
        ("", 1, "there is nothing"),
        ("x +", 4, "it ends where"),
        ("x + foo(y)", 5, "'foo' is unknown"),
        ("z", 1, "'z' is unknown"),
        ("2x", 2, "a product needs its *"),
        ("x y", 3, "an operator is missing before 'y'"),
        ("(x", 1, "never closed"),
        ("x)", 2, "never opened"),
        (")", 1, "never opened"),
        ("x ** 2", 4, "write ^ for a power"),
        ("x^2^3", 4, "read two ways"),
        ("sin x", 1, "sin needs brackets"),
        ("max(x)", 1, "two numbers"),
        ("max(x, y, 1)", 9, "not three"),
        ("x, y", 2, "a comma stands only"),
        ("x = 1", 3, "'=' is not understood"),
        ("x + é", 5, "'é' stands where"),
        ("1e999", 1, "no finite number"),
        ("sin()", 5, "')' stands where"),
        ("{x}", 1, "'{' stands where"),
    ] {
        let error = Expression::parse(text).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(hint) && message.contains("atan2"),
            "{text}: {message}"
        );
        let RewardError::Expression { place: found, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(found, place, "{text}");
    }
}

#[test]
fn hostile_text_is_refused_before_it_is_parsed() {
    let deep = format!("{}x{}", "(".repeat(33), ")".repeat(33));
    assert!(
        Expression::parse(&deep)
            .unwrap_err()
            .to_string()
            .contains("nested deeper")
    );
    let fine = format!("{}x{}", "(".repeat(32), ")".repeat(32));
    assert!(Expression::parse(&fine).is_ok());
    let long = format!("x{}", "+x".repeat(300));
    let message = Expression::parse(&long).unwrap_err().to_string();
    assert!(message.contains("longer than 500") && message.len() < 600);
    let signs = format!("{}x", "-".repeat(400));
    assert_eq!(value(&signs, [2.0, 0.0]), 2.0);
}

#[test]
fn what_has_no_value_is_never_wanted() {
    for text in ["ln(x)", "sqrt(x)", "1/(x+1)", "0/0", "exp(exp(exp(-99*x)))"] {
        let (value, gradient) = Expression::parse(text)
            .unwrap()
            .value_and_gradient([-1.0, 0.0]);
        assert_eq!((value, gradient), (f64::NEG_INFINITY, [0.0; 2]), "{text}");
    }
    // A slope without bound is none.
    let (value, gradient) = Expression::parse("sqrt(x)")
        .unwrap()
        .value_and_gradient([0.0; 2]);
    assert_eq!((value, gradient), (0.0, [0.0; 2]));
}

#[test]
fn a_reward_of_text_reads_back_what_it_prints() {
    for text in ["expr:-x^2 + sin(3*y)", "expr:min(x, y)@0.5", "expr:0@0"] {
        let reward: Reward = text.parse().unwrap();
        assert_eq!(reward.to_string(), text);
        let ron = ron::to_string(&reward).unwrap();
        assert_eq!(ron::from_str::<Reward>(&ron).unwrap(), reward);
    }
    let reward: Reward = "expr: x^2 @2".parse().unwrap();
    assert_eq!(reward.score_and_gradient([3.0, 0.0]), (18.0, [12.0, 0.0]));
    for (text, hint) in [
        ("expr:", "there is nothing"),
        ("expr:x@", "'' is no finite number"),
        ("expr:x@y@1", "'@' is not understood"),
        ("expr:q", "'q' is unknown"),
    ] {
        let message = text.parse::<Reward>().unwrap_err().to_string();
        assert!(message.contains(hint), "{text}: {message}");
    }
    assert!(ron::from_str::<Reward>("(shape:Expression(\"q\"),lambda:1.0)").is_err());
}

#[test]
fn random_text_over_the_alphabet_is_read_or_refused_but_never_panics() {
    let tokens = [
        "x", "y", "1", "2.5", "1e3", ".", "+", "-", "*", "/", "^", "(", ")", ",", " ", "sin",
        "max(", "min(", "exp(", "pi", "e", "atan2(", "abs(", "ln(", "@", "{", "}", "é", "~", "_",
        "0", "E",
    ];
    let mut read = 0;
    for case in 0..20_000_u32 {
        let mut u = [0.0_f32; 24];
        uniforms(Address::new(8, Purpose::Test, case), 0, &mut u);
        let length = 1 + (u[0] * 14.0) as usize;
        // Half of the texts from terms and operators in turn, so that many are whole.
        let text: String = (0..length)
            .map(|i| {
                let u = u[1 + i];
                if case % 2 == 0 {
                    tokens[(u * tokens.len() as f32) as usize % tokens.len()]
                } else if i % 2 == 0 {
                    ["x", "y", "2", "(x+1)", "-y", "max(x,y)", "sin(x)", "0.5"]
                        [(u * 8.0) as usize % 8]
                } else {
                    ["+", "-", "*", "/", "^"][(u * 5.0) as usize % 5]
                }
            })
            .collect();
        let Ok(expression) = Expression::parse(&text) else {
            continue;
        };
        read += 1;
        for at in [[0.3, -0.7], [0.0, 0.0], [-1e300, 1e300]] {
            let (value, gradient) = expression.value_and_gradient(at);
            assert!(!value.is_nan() && value < f64::INFINITY, "{text}");
            assert!(gradient.iter().all(|g| g.is_finite()), "{text}");
        }
        let again = Expression::parse(expression.text()).unwrap();
        assert_eq!(again, expression);
    }
    assert!(read > 2_000, "{read}");
}

#[test]
#[ignore = "prints timings"]
fn evaluation_takes_so_many_nanoseconds() {
    for text in [
        "x",
        "-(x^2 + y^2 - 4)^2/8",
        "exp(-(x-1)^2 - y^2) + sin(3*x)*cos(y)",
    ] {
        let expression = Expression::parse(text).unwrap();
        let started = std::time::Instant::now();
        let mut sum = 0.0;
        for i in 0..1_000_000 {
            sum += expression.value_and_gradient([f64::from(i) * 1e-6, 0.3]).0;
        }
        println!(
            "{text}: {:.0} ns ({sum:.3})",
            started.elapsed().as_secs_f64() * 1e3
        );
    }
}

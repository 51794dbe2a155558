//! Point clouds: `x,y[,w]` lines as a mixture of narrow round Gaussians.

use std::io::{self, Read};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::error::shortened;
use super::world::open_bounded;
use super::{Mixture, MixtureError, Mode, Point, RowProblem};

/// Largest point cloud file that is read.
const MAX_CSV_BYTES: u64 = 64 << 20;
/// Longest line that is read, in bytes. The reader keeps eight bytes and more for each comma of a line.
const MAX_LINE_BYTES: usize = 64 << 10;
/// Width of the Gaussians until a person says otherwise, in world units.
pub const DEFAULT_BANDWIDTH: f64 = 0.1;

/// Weighted points, kept so that a bandwidth slider need not read the file again.
#[derive(Debug, Clone, PartialEq)]
pub struct PointCloud {
    points: Vec<(Point, f64)>,
}

impl PointCloud {
    /// Reads `x,y[,w]` lines; the header, and lines that start with `#`, may be there or not. One point is enough.
    ///
    /// The file's size is checked before it is opened and lines are streamed: memory is bounded by
    /// [`Mixture::MAX_MODES`] points, and of a longer file the rest is only counted.
    ///
    /// # Errors
    /// A file that cannot be read, a line that is not a point (with its number), no point, or too many.
    pub fn load(path: &Path) -> Result<Self, MixtureError> {
        open_bounded(path, MAX_CSV_BYTES)
            .and_then(Self::read)
            .map_err(|error| error.in_file(path))
    }

    /// The same from any reader.
    ///
    /// # Errors
    /// As [`PointCloud::load`].
    pub fn read(reader: impl Read) -> Result<Self, MixtureError> {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .comment(Some(b'#'))
            // Quotes could join lines without end; those around a number are taken off below.
            .quoting(false)
            .from_reader(ShortLines { reader, length: 0 });
        let mut points = Vec::new();
        let mut record = ByteRecord::new();
        let mut rows = 0_usize;
        let mut is_first = true;
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Err(csv_error(error)),
            }
            let header = std::mem::take(&mut is_first) && is_header(&record);
            if rows >= Mixture::MAX_MODES {
                // Only the count is still of interest.
                rows += 1;
                continue;
            }
            let line = record.position().map_or(0, csv::Position::line);
            let at_line = |problem| MixtureError::Row { line, problem };
            if header {
                check_header(&record).map_err(at_line)?;
            } else {
                points.push(point(&record).map_err(at_line)?);
                rows += 1;
            }
        }
        if rows > Mixture::MAX_MODES {
            Err(MixtureError::TooManyRows { rows })
        } else if points.is_empty() {
            Err(MixtureError::NoPoints)
        } else {
            Ok(Self { points })
        }
    }

    /// How many points there are, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a point cloud is never empty")]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// One round Gaussian of standard deviation `bandwidth` (world units) for each point.
    ///
    /// # Errors
    /// A bandwidth that is not between [`Mixture::MIN_SD`] and [`Mixture::MAX_SD`].
    pub fn mixture(&self, bandwidth: f64) -> Result<Mixture, MixtureError> {
        if !(Mixture::MIN_SD..=Mixture::MAX_SD).contains(&bandwidth) {
            return Err(MixtureError::Bandwidth(bandwidth));
        }
        Mixture::new(
            self.points
                .iter()
                .map(|(mean, weight)| Mode::isotropic(*weight, *mean, bandwidth))
                .collect(),
        )
    }
}

/// Passes bytes on until a line is longer than [`MAX_LINE_BYTES`].
struct ShortLines<R> {
    reader: R,
    length: usize,
}

impl<R: Read> Read for ShortLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        for byte in &buffer[..count] {
            self.length = if *byte == b'\n' { 0 } else { self.length + 1 };
            if self.length > MAX_LINE_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a line is longer than {MAX_LINE_BYTES} bytes: is this a point cloud?"),
                ));
            }
        }
        Ok(count)
    }
}

fn csv_error(error: csv::Error) -> MixtureError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => MixtureError::Io(error),
        other => MixtureError::Row {
            line,
            problem: RowProblem::Csv(format!("{other:?}")),
        },
    }
}

/// A first line is a header when nothing on it is a number.
fn is_header(record: &ByteRecord) -> bool {
    record.iter().all(|field| number(field).is_err())
}

fn check_header(record: &ByteRecord) -> Result<(), RowProblem> {
    let names: Vec<String> = record
        .iter()
        .map(|field| shown(unquoted(field)).to_ascii_lowercase())
        .collect();
    match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["x", "y"] | ["x", "y", "w"] => Ok(()),
        _ => Err(RowProblem::Header(shortened(&names.join(","), 40))),
    }
}

fn point(record: &ByteRecord) -> Result<(Point, f64), RowProblem> {
    if !(2..=3).contains(&record.len()) {
        return Err(RowProblem::Columns(record.len()));
    }
    let mean = [coordinate(&record[0])?, coordinate(&record[1])?];
    let weight = record.get(2).map_or(Ok(1.0), number)?;
    if weight > 0.0 && weight.is_finite() {
        Ok((mean, weight))
    } else {
        Err(RowProblem::Weight(weight))
    }
}

fn coordinate(field: &[u8]) -> Result<f64, RowProblem> {
    let value = number(field)?;
    if value.abs() <= Mixture::MAX_COORDINATE {
        Ok(value)
    } else {
        Err(RowProblem::Coordinate(value))
    }
}

/// Without the quotes that some programs put around every field.
fn unquoted(field: &[u8]) -> &[u8] {
    field
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(field)
}

fn number(field: &[u8]) -> Result<f64, RowProblem> {
    std::str::from_utf8(unquoted(field))
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| RowProblem::NotANumber(shown(field)))
}

fn shown(field: &[u8]) -> String {
    shortened(&String::from_utf8_lossy(&field[..field.len().min(256)]), 40)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::time::Instant;

    use super::super::World;
    use super::*;

    fn read(text: &str) -> Result<PointCloud, MixtureError> {
        PointCloud::read(text.as_bytes())
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn points_come_in_with_or_without_header_and_weights() {
        for text in [
            "0,1\n2,3\n",
            "x,y\n0,1\n2,3",
            "X, Y\r\n 0 , 1 \r\n2,3\r\n",
            "# two\nx,y\n0,1\n\n2,3\n",
            "\"x\",\"y\"\n\"0\",\"1\"\n2,3\n",
        ] {
            let cloud = read(text).unwrap();
            assert_eq!(
                cloud.points,
                [([0.0, 1.0], 1.0), ([2.0, 3.0], 1.0)],
                "{text:?}"
            );
        }
        let weighted = read("x,y,w\n0,1,3\n2,3,1\n").unwrap().mixture(0.2).unwrap();
        assert_eq!(weighted.weights(), [0.75, 0.25]);
        assert!((weighted.modes()[0].cov.xx - 0.04).abs() < 1e-15);
    }

    #[test]
    fn one_row_is_one_gaussian() {
        let mixture = read("0.5,-1").unwrap().mixture(0.3).unwrap();
        assert_eq!(mixture.modes().len(), 1);
        assert_eq!(mixture.mean(), [0.5, -1.0]);
    }

    #[test]
    fn bad_lines_are_refused_by_number() {
        for (text, line, part) in [
            ("0,1\n2,three\n", "line 2", "\"three\""),
            ("0,1\ninf,2\n", "line 2", "inf"),
            ("NaN,2\n", "line 1", "NaN"),
            ("x,y\n0,1\n1e9,0\n", "line 3", "1000000000"),
            ("0,1\n2\n", "line 2", "1 columns"),
            ("0,1,1,1\n", "line 1", "4 columns"),
            ("0,1,-2\n", "line 1", "weight -2"),
            ("0,1,0\n", "line 1", "weight 0"),
            ("0,1,inf\n", "line 1", "weight inf"),
            ("lon,lat\n0,1\n", "line 1", "lon,lat"),
            ("0,abc\n", "line 1", "\"abc\""),
            ("0,1\n2,\n", "line 2", "\"\""),
        ] {
            let message = refused(text);
            assert!(
                message.starts_with(line) && message.contains(part),
                "{text:?}: {message}"
            );
        }
        assert!(PointCloud::read(&[b'0', b',', 0xff, 0xfe, b'\n'][..]).is_err());
        assert!(refused("").contains("no points"));
        assert!(refused("x,y\n").contains("no points"));
        assert!(refused(&format!("0,{}", "a".repeat(100_000))).len() < 200);
    }

    #[test]
    fn a_bandwidth_that_makes_no_gaussian_is_refused() {
        let cloud = read("0,1").unwrap();
        for bandwidth in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9] {
            assert!(
                cloud
                    .mixture(bandwidth)
                    .unwrap_err()
                    .to_string()
                    .contains("bandwidth")
            );
        }
    }

    #[test]
    fn a_million_rows_are_counted_and_refused_quickly_with_path_and_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.csv");
        let mut text = String::from("x,y\n");
        for i in 0..1_000_000 {
            writeln!(text, "{}.5,{}", i % 7, i % 11).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        let start = Instant::now();
        let message = World::from_csv(&path, 0.1).unwrap_err().to_string();
        assert!(
            message.contains("large.csv")
                && message.contains("1000000")
                && message.contains("4096"),
            "{message}"
        );
        // About 0.1 s; the limit only catches a reader that keeps every row or crawls.
        assert!(start.elapsed().as_secs() < 120);
    }

    #[test]
    fn exactly_the_limit_is_allowed_and_one_more_is_not() {
        let rows = |n: usize| "0,1\n".repeat(n);
        assert_eq!(read(&rows(Mixture::MAX_MODES)).unwrap().len(), 4096);
        assert!(refused(&rows(Mixture::MAX_MODES + 1)).contains("4097 rows"));
    }

    #[test]
    fn ten_thousand_mutated_point_files_are_read_or_refused_but_never_panic() {
        let good = b"x,y,w\n0.5,-1.25,1\n2e-1,3,0.5\n-7,\"8\",2\n# end\n1,1,1\n";
        for case in 0..10_000 {
            let mutated = crate::mixture::reference::mutated(good, case);
            if let Ok(cloud) = PointCloud::read(&mutated[..]) {
                assert!(cloud.len() <= mutated.len());
                cloud.mixture(0.1).unwrap();
            }
        }
    }

    #[test]
    fn an_oversized_file_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse.csv");
        std::fs::File::create(&path)
            .unwrap()
            .set_len(MAX_CSV_BYTES + 1)
            .unwrap();
        let message = World::load(&path).unwrap_err().to_string();
        assert!(
            message.contains("sparse.csv") && message.contains("67108864"),
            "{message}"
        );
    }

    #[test]
    fn a_csv_file_becomes_a_world_named_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flock.csv");
        std::fs::write(&path, "0,0\n1,1\n").unwrap();
        let world = World::resolve(path.to_str().unwrap()).unwrap();
        assert_eq!(
            (world.name.as_str(), world.mixture.modes().len()),
            ("flock", 2)
        );
    }
}

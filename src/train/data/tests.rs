use std::io::{Cursor, Write};
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use liblzma::write::XzEncoder;

use super::{DataError, DataPlan, ImageSet, Opened, Part};

/// A picture of one colour, `width` x `height`, with a white column at the left and at the right.
fn picture(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, _| {
        let edge = width > height && (x == 0 || x + 1 == width);
        Rgb(if edge { [255; 3] } else { colour })
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Names and bytes of a small data set, in no order.
fn files() -> Vec<(String, Vec<u8>)> {
    let png = |colour| picture(8, 8, colour, ImageFormat::Png);
    [
        ("set/train/red/2.png", png([200, 0, 0])),
        ("set/train/blue/1.png", png([0, 0, 200])),
        (
            "set/train/red/10.jpg",
            picture(6, 4, [100, 0, 0], ImageFormat::Jpeg),
        ),
        ("set/train/red/notes.txt", b"not a picture".to_vec()),
        ("set/train/blue/.hidden.png", b"nor this".to_vec()),
        ("set/test/red/1.png", png([50, 0, 0])),
        (
            "set/train/blue/0.png",
            picture(10, 8, [0, 0, 100], ImageFormat::Png),
        ),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        // By hand: the crate refuses to write names that lead out of the archive.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(name.as_str(), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(path: &Path, plan: &DataPlan) -> Result<Opened, DataError> {
    ImageSet::open(path, plan, &mut |_| true)
}

/// Reads these bytes as a file.
fn read_bytes(bytes: &[u8]) -> Result<Opened, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let result = read(file.path(), &PLAN).map_err(|e| e.to_string());
    if let Err(message) = &result {
        let name = file.path().display().to_string();
        assert!(message.contains(&name), "no path: {message}");
    }
    result
}

const PLAN: DataPlan = DataPlan::new(4, 3, Part::Train);

#[test]
fn a_folder_and_every_archive_of_it_are_the_same_set_in_the_order_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let opened = read(folder.path(), &PLAN).unwrap();
    let set = &opened.images;
    assert_eq!(set.classes, ["blue", "red"]);
    assert_eq!(set.counts(), [2, 2]);
    assert_eq!((set.len(), opened.skipped), (4, 3));
    let labels: Vec<_> = (0..4).map(|i| set.labels[i]).collect();
    assert_eq!(labels, [0, 0, 1, 1]);
    // 0.png is wider than high: its white edges are cropped off. Planes, not pixels.
    assert_eq!(set.image(0), [[0; 32].as_slice(), &[100; 16]].concat());
    assert_eq!(set.image(1)[32..], [200; 16]);
    // 10.jpg comes before 2.png; JPEG is only nearly exact.
    assert!(set.image(2)[..16].iter().all(|v| v.abs_diff(100) < 30));
    assert_eq!(set.image(3)[..16], [200; 16]);
    let mut values = [0.0; 48];
    set.write_into(1, &mut values);
    assert_eq!((values[0], values[47]), (-1.0, 200.0 / 127.5 - 1.0));
    for archive in [tar(&files()), xz(&tar(&files())), zip(&files())] {
        assert_eq!(read_bytes(&archive).unwrap(), opened);
    }
    let test = DataPlan {
        part: Part::Test,
        ..PLAN
    };
    assert_eq!(read(folder.path(), &test).unwrap().images.counts(), [1]);
    let grey = DataPlan {
        channels: 1,
        ..PLAN
    };
    let grey = read(folder.path(), &grey).unwrap().images;
    assert_eq!(grey.image(3).len(), 16);
}

#[test]
fn limits_and_the_wish_to_stop_are_obeyed() {
    let archive = zip(&files());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    let refused = |plan: DataPlan| read(file.path(), &plan).unwrap_err().to_string();
    let message = refused(DataPlan {
        most_images: 3,
        ..PLAN
    });
    assert!(message.contains("more than 3 pictures"), "{message}");
    let message = refused(DataPlan {
        most_bytes: 100,
        ..PLAN
    });
    assert!(message.contains("more than 100 bytes"), "{message}");
    let message = refused(DataPlan { size: 0, ..PLAN });
    assert!(message.contains("1 to 1024"), "{message}");
    let stopped = ImageSet::open(file.path(), &PLAN, &mut |_| false);
    assert!(matches!(stopped, Err(DataError::Cancelled)));
}

#[test]
fn hostile_and_damaged_archives_end_in_a_message_with_the_path_and_the_entry() {
    let one = |name: &str, bytes: Vec<u8>| vec![(name.to_owned(), bytes)];
    let png = || picture(8, 8, [1, 2, 3], ImageFormat::Png);
    let zeros = vec![0; 80 << 20];
    let whole = xz(&tar(&files()));
    let mut claims = png();
    claims[16..24].copy_from_slice(&[0, 0, 0x3f, 0xff, 0, 0, 0x3f, 0xff]);
    let checksum = crc32(&claims[12..29]);
    claims[29..33].copy_from_slice(&checksum.to_be_bytes());
    let mut entries = zip(&files());
    let end = entries.len() - 22;
    entries[end + 8..end + 12].copy_from_slice(&[0xfe, 0xff, 0xfe, 0xff]);
    for (bytes, part) in [
        (tar(&one("../a/b.png", png())), "leads out of the archive"),
        (tar(&one("/a/b.png", png())), "leads out of the archive"),
        (
            zip(&one("a/../../b.png", png())),
            "leads out of the archive",
        ),
        (zip(&one("a\\b.png", png())), "leads out of the archive"),
        (
            xz(&tar(&one("a/b.png", zeros.clone()))),
            "67108864 are the most",
        ),
        (xz(&tar(&one("a/readme", zeros.clone()))), "far more than"),
        (zip(&one("a/b.png", zeros)), "67108864 are the most"),
        (tar(&one("a/b.png", claims)), "claims 16383 x 16383 pixels"),
        (
            tar(&one("a/b.png", b"no picture".to_vec())),
            "neither PNG nor JPEG",
        ),
        (
            tar(&one("a/b.png", png()[..60].to_vec())),
            "a/b.png: it is damaged",
        ),
        (
            tar(&one("b.png", png())),
            "no pictures of the training part",
        ),
        (tar(&files())[..700].to_vec(), "archive is damaged"),
        (whole[..whole.len() / 2].to_vec(), "archive is damaged"),
        (zip(&files())[..300].to_vec(), "archive is damaged"),
        (entries, "announces more entries"),
        (vec![0x1f, 0x8b, 8, 0], "gzip"),
        (b"id,label\n1,2\n".to_vec(), "is no data set"),
        (Vec::new(), "is no data set"),
    ] {
        let message = read_bytes(&bytes).unwrap_err();
        assert!(message.contains(part), "{part}: {message}");
        assert!(message.len() < 1000, "{message}");
    }
    let missing = read(Path::new("no/such/folder"), &PLAN).unwrap_err();
    assert!(missing.to_string().contains("no/such/folder"));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

/// A folder with MNIST's files, two pictures of 2 x 3, after `change` had its way with them.
fn idx(change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) -> tempfile::TempDir {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
    images.extend(0..12);
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, 2, 7, 1];
    change(&mut images, &mut labels);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train-images-idx3-ubyte"), images).unwrap();
    std::fs::write(folder.path().join("train-labels.idx1-ubyte"), &labels).unwrap();
    std::fs::write(folder.path().join("train-labels-idx1-ubyte"), labels).unwrap();
    folder
}

#[test]
fn mnist_files_are_read_and_brought_to_size() {
    let folder = idx(|_, _| ());
    let grey = DataPlan {
        size: 2,
        channels: 1,
        ..PLAN
    };
    let set = read(folder.path(), &grey).unwrap().images;
    // The left two of three columns: the middle of an odd crop leans left.
    assert_eq!(
        (set.image(0), set.image(1)),
        ([0, 1, 3, 4].as_slice(), [6, 7, 9, 10].as_slice())
    );
    assert_eq!((set.labels[0], set.labels[1], set.classes.len()), (7, 1, 8));
    assert_eq!(
        read(folder.path(), &PLAN).unwrap().images.image(0).len(),
        48
    );
    let test = DataPlan {
        part: Part::Test,
        ..grey
    };
    assert!(matches!(
        read(folder.path(), &test),
        Err(DataError::Nothing { .. })
    ));
}

#[test]
fn mnist_files_that_do_not_hold_together_are_refused_before_memory_is_taken() {
    type Change = fn(&mut Vec<u8>, &mut Vec<u8>);
    let cases: [(Change, &str); 7] = [
        (|images, _| images[3] = 1, "instead of [00, 00, 08, 03]"),
        (
            |images, _| images[..2].copy_from_slice(&[0x1f, 0x8b]),
            "gzip",
        ),
        (|images, _| images.truncate(27), "11 follow"),
        (|images, _| images[4] = 0x7f, "are announced"),
        (|images, _| images[4..16].fill(0xff), "are announced"),
        (|_, labels| labels.push(0), "3 follow"),
        (
            |images, _| {
                images[4..8].fill(0);
                images.truncate(16);
            },
            "2 labels for 0 pictures",
        ),
    ];
    for (change, part) in cases {
        let folder = idx(change);
        let message = read(folder.path(), &PLAN).unwrap_err().to_string();
        assert!(message.contains(part), "{part}: {message}");
        assert!(
            message.contains(&folder.path().display().to_string()),
            "{message}"
        );
    }
}

/// `FORESIGHT_DATA=FOLDER_OR_ARCHIVE cargo test --release a_real_data_set -- --ignored --nocapture`
#[test]
#[ignore = "needs a data set, which is not part of the repository"]
fn a_real_data_set_is_read() {
    let path = std::env::var("FORESIGHT_DATA").unwrap();
    for part in [Part::Train, Part::Test] {
        let grey = Path::new(&path).is_dir();
        let (size, channels) = if grey { (28, 1) } else { (32, 3) };
        let start = std::time::Instant::now();
        let plan = DataPlan::new(size, channels, part);
        let Opened {
            images: set,
            skipped,
        } = read(Path::new(&path), &plan).unwrap();
        let seconds = start.elapsed().as_secs_f32();
        let mean = set.pixels.iter().map(|v| f64::from(*v)).sum::<f64>() / set.pixels.len() as f64;
        println!(
            "{part:?}: {} pictures in {seconds:.2} s, {} others",
            set.len(),
            skipped
        );
        println!("{:?} {:?}, mean byte {mean:.3}", set.classes, set.counts());
    }
}

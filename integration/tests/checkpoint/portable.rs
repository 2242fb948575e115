//! Images of Debian's runc, restored by the program under test, and the other way round.

use cofferdam_integration::need;

use crate::subject::{Runtime, Subject};

#[test]
fn images_of_runc_are_restored() {
    need!(Root, Busybox, Runc, Checkpoints);
    let mut subject = Subject::counter();
    subject.volume();
    subject.start(Runtime::Runc);
    subject.counts_beyond(3);
    subject.dump(Runtime::Runc, &[]);
    let count = subject.count();
    subject.restore(Runtime::Ours, &[]);
    subject.counts_beyond(count);
    assert_eq!(subject.case.status(), "running");
    subject.case.delete();
}

#[test]
fn runc_restores_our_images() {
    need!(Root, Busybox, Runc, Checkpoints);
    let mut subject = Subject::counter();
    subject.volume();
    subject.start(Runtime::Ours);
    subject.counts_beyond(3);
    subject.dump(Runtime::Ours, &[]);
    let count = subject.count();
    subject.restore(Runtime::Runc, &[]);
    subject.counts_beyond(count);
    // Its record is read as our own.
    assert_eq!(subject.case.status(), "running");
    subject.case.delete();
}

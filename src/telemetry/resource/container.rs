//! The id of the container that the process runs in, where it can be read.

use opentelemetry::KeyValue;

/// Nothing outside of a container.
pub(super) fn id() -> Option<KeyValue> {
    let read = |file| std::fs::read_to_string(file).unwrap_or_default();
    let id = of_cgroup(&read("/proc/self/cgroup")).or_else(|| of_mounts(&read("/proc/self/mountinfo")))?;
    Some(KeyValue::new("container.id", id))
}

/// The first version of control groups has the id in its paths: `/docker/<id>`,
/// `/kubepods/…/cri-containerd-<id>.scope`.
fn of_cgroup(cgroup: &str) -> Option<String> {
    cgroup.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        let last = path.rsplit('/').next()?;
        let last = last.strip_suffix(".scope").unwrap_or(last);
        let last = last.rsplit(['-', ':']).next()?;
        is_id(last).then(|| last.to_owned())
    })
}

/// The second one hides it, but files that the engine puts into each container come from a folder of that
/// name: `/var/lib/docker/containers/<id>/hostname`, mounted at `/etc/hostname`.
fn of_mounts(mounts: &str) -> Option<String> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        if !["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"].contains(&point) {
            return None;
        }
        // A pod's folder (`sandboxes`) is that of no container.
        let mut folders = root.split('/').zip(root.split('/').skip(1));
        let id = folders.find(|(above, folder)| above.ends_with("containers") && is_id(folder));
        id.map(|(_, id)| id.to_owned())
    })
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f2a9d1c0b4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd";

    #[test]
    fn the_first_version_of_control_groups_has_the_id_in_its_paths() {
        for path in [
            "/docker/{}",
            "/kubepods/besteffort/pod2c48913c-b29f-11e7-9350-020968147796/{}",
            "/kubepods.slice/kubepods-pod12.slice/cri-containerd-{}.scope",
            "/kubepods.slice/kubepods-pod12.slice:cri-containerd:{}",
            "/system.slice/docker-{}.scope",
            "/machine.slice/libpod-{}.scope",
        ] {
            let cgroup = format!("2:cpu:/\n1:name=systemd:{}\n", path.replace("{}", ID));
            assert_eq!(of_cgroup(&cgroup).as_deref(), Some(ID), "{path}");
        }
    }

    #[test]
    fn the_second_version_is_found_by_what_the_engine_mounts() {
        for root in [
            "/var/lib/docker/containers/{}/hostname",
            "/containers/storage/overlay-containers/{}/userdata/hostname",
        ] {
            let root = root.replace("{}", ID);
            let mounts = format!("1 2 8:1 / / rw - ext4 a b\n3 4 8:1 {root} /etc/hostname rw - ext4 a b\n");
            assert_eq!(of_mounts(&mounts).as_deref(), Some(ID), "{root}");
        }
    }

    #[test]
    fn outside_of_a_container_there_is_none() {
        let folder = format!("/home/me/containers/{ID}");
        let sandbox = format!("/var/lib/containerd/sandboxes/{ID}/hostname");
        for text in [
            "",
            "0::/\n",
            "0::/user.slice/user-1000.slice/session-2.scope",
            "nonsense",
            "1:cpu:/docker/abc",
            &format!("3 4 8:1 {folder} /mnt rw - ext4 a b"),
            &format!("3 4 8:1 {sandbox} /etc/hostname rw - ext4 a b"),
        ] {
            assert_eq!(of_cgroup(text), None, "{text}");
            assert_eq!(of_mounts(text), None, "{text}");
        }
    }
}

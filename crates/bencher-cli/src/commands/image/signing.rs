//! `image signatures` and `image policy`: by whom images are signed, and by whom they have to be.

use std::{fs::File, io::Read as _};

use bencher_types::wire::signature::{ImageSignatures, NewSigningKey, SigningPolicy, UpdateSigningPolicy};

use super::on;
use crate::{
    cli::image::signing::{self as args, KeyFile},
    commands::{Context, resource::path},
    error::CliError,
};

/// The largest file that is read as a public key, in bytes. The largest keys have some KiB.
const MAX_KEY_BYTES: u64 = 64 << 10;

pub(super) async fn signatures(context: &Context, args: args::Signatures) -> Result<(), CliError> {
    let path = path([&"projects", &args.image.project(), &"registry", &"signatures"]);
    context.view::<ImageSignatures>(&path, &vec![("image", args.image.to_string())]).await
}

pub(super) async fn policy(context: &Context, args: args::Policy) -> Result<(), CliError> {
    let of = |project: &bencher_types::ResourceId| path([&"projects", project, &"registry", &"signing"]);
    match args {
        args::Policy::View { project } => context.view::<SigningPolicy>(&of(&project), &Vec::new()).await,
        args::Policy::Set { project, keys, not_required } => {
            let keys = keys.into_iter().map(read).collect::<Result<_, _>>()?;
            let body = UpdateSigningPolicy { required: Some(!not_required), keys };
            context.out.show(&context.client.put::<SigningPolicy>(&of(&project), &body).await?)
        }
        args::Policy::Remove { project, sure } => {
            context.out.confirm(&format!("let the jobs of {project} run images that nobody signed?"), sure)?;
            context.client.delete(&of(&project), &[]).await?;
            context.out.done("removed");
            Ok(())
        }
    }
}

fn read(key: KeyFile) -> Result<NewSigningKey, CliError> {
    let opened = File::open(&key.file).map_err(on("read", &key.file))?;
    let mut public_key = String::new();
    opened.take(MAX_KEY_BYTES).read_to_string(&mut public_key).map_err(on("read", &key.file))?;
    if public_key.contains("PRIVATE KEY") {
        // The server would refuse it, and would have seen it.
        let file = key.file.display();
        return Err(CliError::Usage(format!(
            "{file} is a private key, which stays where it is: give the public one, such as `openssl pkey -in {file} -pubout` prints"
        )));
    }
    Ok(NewSigningKey { name: key.name, public_key })
}

mod daemon;
mod world;

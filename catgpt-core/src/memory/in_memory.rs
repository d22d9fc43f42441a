//! stub
use super::*;
/// x
#[derive(Debug, Default)]
pub struct InMemory;
#[async_trait]
impl Memory for InMemory {
    async fn begin_turn(&self, _owner: &Owner, _begin: Begin) -> Result<Begun> {
        unimplemented!()
    }
    async fn checkpoint(&self, _owner: &Owner, _checkpoint: Checkpoint) -> Result<Kept> {
        unimplemented!()
    }
    async fn finish_turn(&self, _owner: &Owner, _finish: Finish) -> Result<Sealed> {
        unimplemented!()
    }
    async fn apply(&self, _owner: &Owner, _op_id: OpId, _ops: Vec<Op>) -> Result<Vec<Done>> {
        unimplemented!()
    }
    async fn read(&self, _owner: &Owner, _read: Read) -> Result<View> {
        unimplemented!()
    }
    async fn query(&self, _owner: &Owner, _query: Query) -> Result<Answer> {
        unimplemented!()
    }
    async fn sweep(&self, _limit: u32) -> Result<Swept> {
        unimplemented!()
    }
}

// Which operation an RPC is.
#include "backends/postgres/operations/operations.hpp"

namespace backends::postgres {

Values perform(Rpc rpc, Work& work, const objects::JsArray& arguments) {
  switch (rpc) {
    case Rpc::create_bucket: return create_bucket(work, arguments);
    case Rpc::get_bucket: return get_bucket(work, arguments);
    case Rpc::list_buckets: return list_buckets(work);
    case Rpc::update_bucket: return update_bucket(work, arguments);
    case Rpc::del_bucket: return del_bucket(work, arguments);
    case Rpc::put_object: return put_object(work, arguments);
    case Rpc::get_object: return get_object(work, arguments);
    case Rpc::del_object: return del_object(work, arguments);
    case Rpc::find_objects: return find_objects(work, arguments);
    case Rpc::update_objects: return update_objects(work, arguments);
    case Rpc::delete_many: return delete_many(work, arguments);
    case Rpc::batch: return batch(work, arguments);
    case Rpc::reindex_objects: return reindex_objects(work, arguments);
    case Rpc::sql: return sql(work, arguments);
    case Rpc::listen: return listen(work, arguments);
    case Rpc::unlisten: return unlisten(work, arguments);
    default: return ping(work, arguments);
  }
}

}  // namespace backends::postgres

#pragma once

#include <string>

namespace ring {

class Ring;

/// SHA-256, lower-case hex, over `NAME\nCOUNT\nINTERVAL\n` and then for each vnode in order
/// `pnode JSON\tdata JSON\n`: what the ring means, independent of file bytes, of the order of
/// lists and of the store's version. O(vnodes).
std::string compute_digest(const Ring& ring);

/// `text` (UTF-8) as a JSON string with quotes, as node-fash stores pnode names.
std::string json_string(const std::string& text);

}  // namespace ring

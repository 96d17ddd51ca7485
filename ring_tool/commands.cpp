#include "ring_tool/commands.hpp"

namespace ring_tool {
namespace {

const Option kLocation{'l', {"location"}, true};
const Option kBackend{'b', {"backend"}, true};
const Option kOutput{'o', {"output"}, false};
const Option kVnode{'v', {"vnode", "vnodes"}, true};
const Option kPnode{'p', {"pnode"}, true};

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"create",
       "makes a ring",
       "-v COUNT -p PNODES [-a ALGORITHM] [-b leveldb -l DIRECTORY] [-o]",
       {kVnode, kPnode, {'a', {"algorithm"}, true}, kBackend, kLocation, kOutput},
       0,
       create},
      {"deserialize-ring",
       "makes a LevelDB ring of a topology",
       "-l DIRECTORY [-f FILE]",
       {kLocation, {'f', {"file"}, true}},
       0,
       deserialize_ring},
      {"add-data",
       "gives vnodes data, or takes it away",
       "-v VNODES [-d DATA] -b BACKEND -l LOCATION [-o]",
       {kVnode, {'d', {"data"}, true}, kBackend, kLocation, kOutput},
       0,
       add_data},
      {"remap-vnode",
       "gives vnodes to another pnode",
       "-v VNODES -p PNODE -b BACKEND -l LOCATION [-o]",
       {kVnode, kPnode, kBackend, kLocation, kOutput},
       0,
       remap_vnode},
      {"remove-pnode",
       "removes a pnode that owns nothing",
       "-p PNODE -b BACKEND -l LOCATION [-o]",
       {kPnode, kBackend, kLocation, kOutput},
       0,
       remove_pnode},
      {"get-pnodes",
       "lists the pnodes",
       "-b BACKEND -l LOCATION",
       {kBackend, kLocation},
       -1,
       get_pnodes},
      {"get-vnodes",
       "lists a pnode's vnodes",
       "-b BACKEND -l LOCATION PNODE",
       {kBackend, kLocation},
       1,
       get_vnodes},
      {"get-vnode-pnode-and-data",
       "shows who owns vnodes, and their data",
       "-v VNODES -l DIRECTORY",
       {{'v', {"vnodes", "vnode"}, true}, kLocation},
       -1,
       get_vnode_pnode_and_data},
      {"get-data-vnodes",
       "lists the vnodes that have data",
       "[-v] -l DIRECTORY",
       {{'v', {"verbose"}, false}, kLocation},
       -1,
       get_data_vnodes},
      {"get-node",
       "shows where a key lies (it is not transformed)",
       "-b BACKEND -l LOCATION KEY",
       {kBackend, kLocation},
       1,
       get_node},
      {"print-hash",
       "prints the whole ring as a topology",
       "-b BACKEND -l LOCATION",
       {kBackend, kLocation},
       -1,
       print_hash},
      {"diff",
       "shows which vnodes each pnode loses and gains from A to B",
       "[-b BACKEND [-b BACKEND]] A B",
       {kBackend},
       2,
       diff},
      {"locate",
       "shows where keys lie, by bucket and key (transformed as clients' keys are)",
       "-b BACKEND -l LOCATION BUCKET KEY | --jsonl < KEYS",
       {kBackend, kLocation, {'j', {"jsonl"}, false}},
       -1,
       locate},
      {"verify", "checks a whole ring", "-b BACKEND -l LOCATION", {kBackend, kLocation}, 0, verify},
      {"digest",
       "prints what a ring means, as a digest",
       "-b BACKEND -l LOCATION",
       {kBackend, kLocation},
       0,
       digest},
      {"stats",
       "shows how evenly vnodes are spread",
       "-b BACKEND -l LOCATION",
       {kBackend, kLocation},
       0,
       stats},
      {"plot",
       "draws who owns what, and what moves from A to B, as SVG",
       "[-b BACKEND [-b BACKEND]] A [B] -f FILE",
       {kBackend, {'f', {"file"}, true}},
       -1,
       plot},
      {"export",
       "packs a LevelDB ring as a tar archive",
       "-l DIRECTORY FILE.tar[.gz]",
       {kLocation},
       1,
       export_ring},
      {"import",
       "unpacks such an archive, and checks it",
       "-l DIRECTORY FILE.tar[.gz]",
       {kLocation},
       1,
       import_ring},
      {"store",
       "puts a LevelDB ring into a store of generations, as the current one",
       "-l STORE DIRECTORY",
       {kLocation},
       1,
       store_ring},
  };
  return all;
}

std::string help_of(const Command& command) {
  return command.name + ": " + command.summary + "\n\nusage: moray-router ring " + command.name +
         " " + command.usage +
         "\n\nBACKEND is leveldb (LOCATION: a directory) or memory (a topology's file; without -l: "
         "stdin).\n"
         "Lists (PNODES, VNODES) are separated by commas or spaces. -o prints the ring "
         "afterwards.\n";
}

}  // namespace ring_tool

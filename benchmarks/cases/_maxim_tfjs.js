// Time MAXIM as a TensorFlow.js graph model on WebAssembly: node maxim_tfjs.js PACKAGE SIDE MODULES
// PACKAGE is an unpacked npm package of @upscalerjs, MODULES the folder node_modules that holds @tensorflow/tfjs-core, -converter
// and -backend-wasm. Prints a line of JSON: processor seconds of the second run, and the memory of the process in GB.
const fs = require('fs'), path = require('path');

async function main(folder, side, modules) {
  const need = name => require(path.resolve(modules, '@tensorflow', name));
  const tf = need('tfjs-core'), wasm = need('tfjs-backend-wasm');
  wasm.setWasmPaths(path.resolve(modules, '@tensorflow', 'tfjs-backend-wasm', 'dist') + '/');
  await tf.setBackend('wasm');
  // The backend has no Einsum; the three equations of this graph are matrix products.
  const product = ([a, b], equation) => {
    if (equation === 'gb,cgef->bcef') {
      const [c, g, e, f] = b.shape;
      return tf.reshape(tf.matMul(a, tf.reshape(tf.transpose(b, [1, 0, 2, 3]), [g, c * e * f]), true), [a.shape[1], c, e, f]);
    }
    const x = equation === 'abgd,gf->abdf' ? tf.transpose(a, [0, 1, 3, 2]) : a;
    return tf.reshape(tf.matMul(tf.reshape(x, [-1, x.shape[3]]), b), [...x.shape.slice(0, 3), b.shape[1]]);
  };
  tf.registerKernel({kernelName: 'Einsum', backendName: 'wasm', kernelFunc: k => product([k.inputs[0], k.inputs[1]], k.attrs.equation)});
  const models = path.join(folder, 'models');
  const json = JSON.parse(fs.readFileSync(path.join(models, 'model.json')));
  const data = Buffer.concat(json.weightsManifest.flatMap(group => group.paths).map(shard => fs.readFileSync(path.join(models, shard))));
  const model = await need('tfjs-converter').loadGraphModel({load: async () => ({
    ...json,
    weightSpecs: json.weightsManifest.flatMap(group => group.weights),
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
  })});
  const image = tf.randomUniform([1, side, side, 3]);
  let seconds = 0;
  for (let run = 0; run < 2; run++) {  // the first compiles and warms up
    const started = process.cpuUsage(), output = model.predict(image);
    await (Array.isArray(output) ? output[output.length - 1] : output).data();
    const used = process.cpuUsage(started);
    seconds = (used.user + used.system) / 1e6;
  }
  console.log(JSON.stringify({seconds, memory: process.memoryUsage().rss / 1e9, threads: wasm.getThreadsCount()}));
}

main(process.argv[2], Number(process.argv[3]), process.argv[4]).catch(error => { console.error(error); process.exit(1); });

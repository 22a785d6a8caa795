/** What MLflow's basic-auth app needs beside MLflow. */
import { join } from 'node:path';
import { ensureVenv } from '../../src/demo/python-venv.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';

/** Whoever signs in at a server that was started with `basicAuth`. */
export const ADMIN = {
  MLFLOW_TRACKING_USERNAME: 'admin',
  MLFLOW_TRACKING_PASSWORD: 'correct-horse-battery',
} as const;

/** Options of `startMlflow` for a server that wants a name and a password; its packages lie in a folder of their own in the cache. */
export async function basicAuth(): Promise<{
  readonly extraArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}> {
  return {
    extraArgs: ['--app-name', 'basic-auth'],
    env: {
      PYTHONPATH: await flaskWtf(),
      MLFLOW_FLASK_SERVER_SECRET_KEY: 'a-key-for-the-test',
      MLFLOW_AUTH_ADMIN_PASSWORD: ADMIN.MLFLOW_TRACKING_PASSWORD,
      ...ADMIN,
    },
  };
}

async function flaskWtf(): Promise<string> {
  const venv = await ensureVenv({
    cacheDir: cacheFolder(),
    folder: 'flask-wtf-1.2.2',
    name: 'Flask-WTF',
    requirements: ['wtforms==3.2.1'],
    cost: 'about 1 MB',
    onProgress: () => undefined,
    finish: async ({ dir, python }) => {
      const pip = ['-m', 'pip', 'install', '--no-deps', '--disable-pip-version-check'];
      const wanted = ['flask-wtf==1.2.2', 'wtforms==3.2.1'];
      const args = [...pip, '--target', join(dir, 'packages'), ...wanted];
      const { exitCode, output } = await runTool({ command: python, args });
      if (exitCode !== 0) throw new Error(output);
    },
  });
  return join(venv.dir, 'packages');
}
